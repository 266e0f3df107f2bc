{{
    config(
        unique_key='issue_count_key',
        pre_hook="{{ drop_forgotten('github', 'issue_counts') }}"
    )
}}

{% set shape = {
    '_repository': 'VARCHAR',
    'total_count': 'BIGINT',
    'incomplete_results': 'BOOLEAN',
} %}

with

received as (
    {{ remembered_records('github', 'issue_counts') }}
),

unpacked as (
    select
        * exclude (payload),
        md5(concat_ws('|', record_id, cast(payload as varchar), epoch_us(fetched_at)))
            as issue_count_key,
        {{ unpack('payload', shape) }} as counted,
    from received
),

final as (
    select
        issue_count_key,
        record_id,
        {{ filled('counted._repository') }} as repository_id,
        -- A search that timed out has counted a part.
        case
            when not coalesce(counted.incomplete_results, false)
                then {{ count_of('counted.total_count') }}
        end as open_issues_count,
        coalesce(counted.incomplete_results, false) as is_incomplete,
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
            partition by issue_count_key order by load_id desc, line_no desc
        ) = 1
)

select * from final
