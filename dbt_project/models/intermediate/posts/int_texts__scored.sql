{#-
The engine's scores under a contract, which a Python model cannot have: what is not a
probability stops here.
-#}

{{ config(contract={'enforced': true}) }}

with

scores as (
    select * from {{ ref('int_texts__sentiment') }}
),

final as (
    select
        cast(text_key as varchar) as text_key,
        cast(p_negative as double) as p_negative,
        cast(p_neutral as double) as p_neutral,
        cast(p_positive as double) as p_positive,
        cast(label as varchar) as sentiment_label,
        cast(score as double) as sentiment_score,
        cast(confidence as double) as sentiment_confidence,
        cast(status as varchar) as sentiment_status,
        cast(model_revision as varchar) as model_revision,
    from scores
)

select * from final
