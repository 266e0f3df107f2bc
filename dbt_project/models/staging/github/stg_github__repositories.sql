{{
    config(
        unique_key='repository_snapshot_key',
        pre_hook="{{ drop_forgotten('github', 'repositories') }}"
    )
}}

{% set shape = {
    'id': 'VARCHAR',
    'full_name': 'VARCHAR',
    '_tracked_as': 'VARCHAR',
    'owner': {'login': 'VARCHAR'},
    'description': 'VARCHAR',
    'language': 'VARCHAR',
    'topics': ['VARCHAR'],
    'html_url': 'VARCHAR',
    'stargazers_count': 'BIGINT',
    'forks_count': 'BIGINT',
    'subscribers_count': 'BIGINT',
    'open_issues_count': 'BIGINT',
    'fork': 'BOOLEAN',
    'archived': 'BOOLEAN',
    'created_at': 'VARCHAR',
    'pushed_at': 'VARCHAR',
} %}

with

received as (
    {{ remembered_records('github', 'repositories') }}
),

unpacked as (
    select
        * exclude (payload),
        md5(concat_ws('|', record_id, cast(payload as varchar), epoch_us(fetched_at)))
            as repository_snapshot_key,
        {{ unpack('payload', shape) }} as repository,
    from received
),

final as (
    select
        repository_snapshot_key,
        record_id,
        record_id as repository_id,
        {{ filled('repository.full_name') }} as full_name,
        lower({{ filled('repository._tracked_as') }}) as tracked_as,
        repository.owner.login as owner_name,
        {{ filled('repository.description') }} as description,
        {{ filled('repository.language') }} as programming_language,
        coalesce(repository.topics, []) as topics,
        {{ filled('repository.html_url') }} as url,
        {{ count_of('repository.stargazers_count') }} as stars_count,
        {{ count_of('repository.forks_count') }} as forks_count,
        {{ count_of('repository.subscribers_count') }} as watchers_count,
        {{ count_of('repository.open_issues_count') }}
            as open_issues_and_pulls_count,
        coalesce(repository.fork, false) as is_fork,
        coalesce(repository.archived, false) as is_archived,
        {{ instant('repository.created_at') }} as created_at,
        {{ instant('repository.pushed_at') }} as pushed_at,
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
            partition by repository_snapshot_key order by load_id desc, line_no desc
        ) = 1
)

select * from final
