-- From the inside: links, tags, entities (& last, so that nothing is decoded twice),
-- characters that cannot be seen (bidi controls, zero-width spaces, soft hyphens; emoji
-- keep their joiner), white space.
select
    trim(
        regexp_replace(
            regexp_replace(
                regexp_replace(
                    replace(
                        replace(
                            replace(
                                replace(
                                    replace(
                                        replace(
                                            regexp_replace(
                                                regexp_replace(
                                                    nfc_normalize(raw_text),
                                                    '(https?://|www\.)[^\s<>\"]+',
                                                    ' ',
                                                    'gi'
                                                ),
                                                '</?[a-z][^<>]*>',
                                                ' ',
                                                'gi'
                                            ),
                                            '&nbsp;',
                                            ' '
                                        ),
                                        '&quot;',
                                        '"'
                                    ),
                                    '&#39;',
                                    ''''
                                ),
                                '&lt;',
                                '<'
                            ),
                            '&gt;',
                            '>'
                        ),
                        '&amp;',
                        '&'
                    ),
                    '[\x{AD}\x{61C}\x{200B}\x{200E}\x{200F}\x{FEFF}]',
                    '',
                    'g'
                ),
                '[\x{202A}-\x{202E}\x{2060}-\x{2069}]',
                '',
                'g'
            ),
            '[\s\x{A0}\p{Cc}]+',
            ' ',
            'g'
        )
    ) as words
