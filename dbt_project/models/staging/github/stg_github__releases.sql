{{
    config(
        unique_key='release_snapshot_key',
        pre_hook="{{ drop_forgotten('github', 'releases') }}"
    )
}}

{% set shape = {
    '_repository': 'VARCHAR',
    'tag_name': 'VARCHAR',
    'name': 'VARCHAR',
    'body': 'VARCHAR',
    'html_url': 'VARCHAR',
    'draft': 'BOOLEAN',
    'prerelease': 'BOOLEAN',
    'author': {'login': 'VARCHAR'},
    'created_at': 'VARCHAR',
    'published_at': 'VARCHAR',
} %}

with

received as (
    {{ remembered_records('github', 'releases') }}
),

unpacked as (
    select
        * exclude (payload),
        md5(concat_ws('|', record_id, cast(payload as varchar)))
            as release_snapshot_key,
        {{ unpack('payload', shape) }} as release,
    from received
),

final as (
    select
        release_snapshot_key,
        record_id,
        record_id as release_id,
        {{ filled('release._repository') }} as repository_id,
        {{ filled('release.tag_name') }} as tag_name,
        {{ filled('release.name') }} as release_name,
        {{ filled('release.body') }} as body,
        release.author.login as author_name,
        {{ filled('release.html_url') }} as url,
        coalesce(release.draft, false) as is_draft,
        coalesce(release.prerelease, false) as is_prerelease,
        {{ instant('release.created_at') }} as created_at,
        {{ instant('release.published_at') }} as published_at,
        is_simulated,
        fetched_at,
        source_file as _source_file,
        line_no as _line_no,
        run_id as _run_id,
        load_id as _load_id,
        loaded_at as _loaded_at,
    from unpacked
    qualify
        row_number() over (
            partition by release_snapshot_key
            order by fetched_at desc, load_id desc, line_no desc
        ) = 1
)

select * from final
