{{
    config(
        unique_key='launch_snapshot_key',
        pre_hook="{{ drop_forgotten('producthunt', 'posts') }}"
    )
}}

{% set shape = {
    'slug': 'VARCHAR',
    'name': 'VARCHAR',
    'tagline': 'VARCHAR',
    'description': 'VARCHAR',
    'createdAt': 'VARCHAR',
    'featuredAt': 'VARCHAR',
    'votesCount': 'BIGINT',
    'commentsCount': 'BIGINT',
    'url': 'VARCHAR',
    'website': 'VARCHAR',
    'topics': {'edges': [{'node': {'slug': 'VARCHAR'}}]},
} %}

with

received as (
    {{ remembered_records('producthunt', 'posts') }}
),

unpacked as (
    select
        * exclude (payload),
        md5(concat_ws('|', record_id, cast(payload as varchar)))
            as launch_snapshot_key,
        {{ unpack('payload', shape) }} as launch,
    from received
),

final as (
    select
        launch_snapshot_key,
        record_id,
        record_id as launch_id,
        lower({{ filled('launch.slug') }}) as slug,
        {{ filled('launch.name') }} as launch_name,
        {{ filled('launch.tagline') }} as tagline,
        {{ filled('launch.description') }} as description,
        {{ filled('launch.url') }} as url,
        coalesce(
            list_filter(
                list_transform(launch.topics.edges, lambda edge: edge.node.slug),
                lambda slug: slug is not null
            ),
            []
        ) as topics,
        {{ count_of('launch.votesCount') }} as votes_count,
        {{ count_of('launch.commentsCount') }} as comments_count,
        {{ instant('launch.featuredAt') }} is not null as is_featured,
        -- Featured is when people get to see it; until then it is only made.
        coalesce(
            {{ instant('launch.featuredAt') }}, {{ instant('launch.createdAt') }}
        ) as launched_at,
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
            partition by launch_snapshot_key
            order by fetched_at desc, load_id desc, line_no desc
        ) = 1
)

select * from final
