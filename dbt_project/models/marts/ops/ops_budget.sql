with budgets as (
    select * from {{ source('pipeline', 'budgets') }}
)

select
    source || '/' || month || '/' || unit as budget_key,
    source,
    cast(month || '-01' as date) as month_date,
    unit,
    used_amount,
    limit_amount,
    limit_amount - used_amount as left_amount,
    case when limit_amount > 0 then cast(used_amount / limit_amount as double) end
        as used_ratio,
    {{ 'true' if setting_boolean('is_simulated') else 'false' }} as is_simulated,
from budgets
