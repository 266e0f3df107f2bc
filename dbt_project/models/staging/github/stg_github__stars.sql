{{
    config(
        unique_key='star_snapshot_key',
        pre_hook="{{ drop_forgotten('github', 'stars') }}"
    )
}}

{% set shape = {
    '_repository': 'VARCHAR',
    'starred_at': 'VARCHAR',
    'count': 'BIGINT',
    'covered_until': 'VARCHAR',
} %}

with

received as (
    {{ remembered_records('github', 'stars') }}
),

unpacked as (
    select
        * exclude (payload),
        md5(concat_ws('|', record_id, cast(payload as varchar)))
            as star_snapshot_key,
        {{ unpack('payload', shape) }} as star,
    from received
),

final as (
    select
        star_snapshot_key,
        record_id,
        {{ filled('star._repository') }} as repository_id,
        {{ count_of('star.count') }} as stars_count,
        {{ instant('star.starred_at') }} as starred_at,
        {{ instant('star.covered_until') }} as covered_until,
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
            partition by star_snapshot_key
            order by fetched_at desc, load_id desc, line_no desc
        ) = 1
)

select * from final
