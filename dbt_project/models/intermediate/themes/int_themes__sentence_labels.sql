{#-
What a sentence says, good or bad: by its own score where it has one, else by its text's.
-#}

with

sentences as (
    select * from {{ ref('int_themes__sentences') }}
),

scores as (
    select * from {{ ref('int_texts__scored') }}
),

parts as (
    select * from {{ ref('int_themes__parts') }}
),

part_scores as (
    select * from {{ ref('int_themes__parts_sentiment') }}
),

scored_parts as (
    select
        parts.whole_text_key,
        parts.sentence_number,
        part_scores.label as sentiment_label,
        part_scores.confidence as sentiment_confidence,
    from parts
    inner join part_scores on parts.text_key = part_scores.text_key
    where part_scores.label is not null
),

final as (
    select
        sentences.text_key,
        sentences.sentence_number,
        scored_parts.sentiment_label is not null as is_scored_alone,
        coalesce(scored_parts.sentiment_label, scores.sentiment_label)
            as sentiment_label,
        coalesce(scored_parts.sentiment_confidence, scores.sentiment_confidence)
            as sentiment_confidence,
    from sentences
    inner join scores on sentences.text_key = scores.text_key
    left join scored_parts
        on
            sentences.text_key = scored_parts.whole_text_key
            and sentences.sentence_number = scored_parts.sentence_number
)

select * from final
