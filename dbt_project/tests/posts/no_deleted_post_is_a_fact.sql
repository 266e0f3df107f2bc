{#-
What its author took back on Bluesky, or lost with the account, is no fact: posts whose
last version is older than their deletion, and every post of an account that is hidden.
-#}

with

facts as (
    select
        post_key,
        author_id,
    from {{ ref('fct_posts') }}
    where platform = 'bluesky'
),

versions as (
    select
        post_id,
        max(seen_at) as seen_at,
        max(revision) as revision,
    from {{ ref('stg_bluesky__posts') }}
    group by post_id
),

deletions as (
    select
        post_id,
        max(deleted_at) as deleted_at,
        max(revision) as revision,
    from {{ ref('stg_bluesky__deletions') }}
    group by post_id
),

accounts as (
    select
        author_id,
        arg_max(is_hidden, changed_at) as is_hidden,
    from {{ ref('stg_bluesky__accounts') }}
    group by author_id
),

deleted_facts as (
    select
        facts.post_key,
        'deleted by its author' as problem,
    from facts
    inner join deletions on facts.post_key = 'bluesky:' || deletions.post_id
    inner join versions on deletions.post_id = versions.post_id
    where
        deletions.deleted_at > versions.seen_at
        and coalesce(deletions.revision > versions.revision, true)
),

hidden_facts as (
    select
        facts.post_key,
        'its account is hidden' as problem,
    from facts
    inner join accounts on facts.author_id = accounts.author_id
    where accounts.is_hidden
)

select * from deleted_facts
union all
select * from hidden_facts
