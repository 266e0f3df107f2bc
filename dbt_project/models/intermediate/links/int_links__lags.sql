with tested as (
    select * from {{ ref('int_links__tested') }}
),

final as (
    select
        product_id,
        signal,
        metric,
        unnest(range(-14, 15)) as lag_days,
        unnest(correlations) as correlation,
        unnest(null_bands) as null_band,
        unnest(whitened_correlations) as whitened_correlation,
        unnest(whitened_bands) as whitened_band,
    from tested
    where is_tested
)

select * from final
