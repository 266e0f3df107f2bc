{#- A table: text_key is a Python function, and four models read it. -#}

with

x_posts as (
    select * from {{ ref('stg_x__posts') }}
),

x_users as (
    select * from {{ ref('stg_x__users') }}
),

reddit_submissions as (
    select * from {{ ref('stg_reddit__submissions') }}
),

dataset_posts as (
    select * from {{ ref('stg_datasets__posts') }}
),

live_posts as (
    select * from {{ ref('int_posts__live') }}
),

{#- Every edit is a post of its own; a snapshot without history joins by its id. -#}
x_chains as (
    select
        post_id,
        {{ earliest_id('original_post_id') }} as chain_id,
    from x_posts
    group by post_id
),

x_versions as (
    select
        x_posts.*,
        x_chains.chain_id,
        min(x_posts.first_fetched_at) over (partition by x_chains.chain_id)
            as chain_first_fetched_at,
        max(x_posts.last_fetched_at) over (partition by x_chains.chain_id)
            as chain_last_fetched_at,
        bool_or(x_posts.is_edited or x_posts.post_id != x_chains.chain_id)
            over (partition by x_chains.chain_id) as is_chain_edited,
    from x_posts
    inner join x_chains on x_posts.post_id = x_chains.post_id
),

{#- The newest id, and of that post the last snapshot. -#}
x_current as (
    select *
    from x_versions
    qualify
        row_number() over (
            partition by chain_id
            order by
                length(post_id) desc,
                post_id desc,
                last_fetched_at desc,
                content_key asc
        ) = 1
),

x_authors as (
    select *
    from x_users
    qualify
        row_number() over (
            partition by user_id
            order by last_fetched_at desc, content_key asc
        ) = 1
),

from_x as (
    select
        'x' as platform,
        'x' as source,
        cast(null as varchar) as dataset,
        x_current.post_id,
        x_current.chain_id as original_post_id,
        x_current.author_id,
        x_authors.username as author_name,
        x_authors.followers_count as author_followers_count,
        x_authors.post_count as author_posts_count,
        x_authors.created_at as author_created_at,
        x_current.posted_at,
        x_current.text,
        x_current.platform_language,
        x_current.like_count,
        x_current.reply_count,
        x_current.repost_count,
        x_current.quote_count,
        x_current.view_count,
        x_current.reposted_post_id is not null as is_repost,
        x_current.reposted_post_id,
        x_current.replied_to_post_id is not null as is_reply,
        x_current.is_chain_edited as is_edited,
        case when x_current.is_withheld then 'withheld_by_platform' end
            as withheld_reason,
        'https://x.com/i/status/' || x_current.post_id as url,
        x_current.is_simulated,
        x_current.chain_first_fetched_at as first_fetched_at,
        x_current.chain_last_fetched_at as last_fetched_at,
        x_current.content_key,
    from x_current
    left join x_authors on x_current.author_id = x_authors.user_id
),

reddit_versions as (
    select
        *,
        min(first_fetched_at) over (partition by post_id) as post_first_fetched_at,
    from reddit_submissions
),

reddit_current as (
    select *
    from reddit_versions
    qualify
        row_number() over (
            partition by post_id
            order by last_fetched_at desc, content_key asc
        ) = 1
),

from_reddit as (
    select
        'reddit' as platform,
        'reddit' as source,
        cast(null as varchar) as dataset,
        post_id,
        post_id as original_post_id,
        author_id,
        author_name,
        cast(null as bigint) as author_followers_count,
        cast(null as bigint) as author_posts_count,
        cast(null as timestamptz) as author_created_at,
        posted_at,
        nullif(concat_ws(e'\n\n', title, body), '') as text,
        cast(null as varchar) as platform_language,
        score as like_count,
        comment_count as reply_count,
        crosspost_count as repost_count,
        cast(null as bigint) as quote_count,
        cast(null as bigint) as view_count,
        reposted_post_id is not null as is_repost,
        reposted_post_id,
        false as is_reply,
        is_edited,
        withheld_reason,
        url,
        is_simulated,
        post_first_fetched_at as first_fetched_at,
        last_fetched_at,
        content_key,
    from reddit_current
),

from_datasets as (
    select
        platform,
        'datasets' as source,
        dataset,
        post_id,
        post_id as original_post_id,
        author_id,
        author_name,
        author_followers_count,
        cast(null as bigint) as author_posts_count,
        cast(null as timestamptz) as author_created_at,
        posted_at,
        text,
        platform_language,
        like_count,
        reply_count,
        repost_count,
        quote_count,
        view_count,
        is_repost or reposted_post_id is not null as is_repost,
        reposted_post_id,
        false as is_reply,
        false as is_edited,
        cast(null as varchar) as withheld_reason,
        url,
        is_simulated,
        first_fetched_at,
        last_fetched_at,
        content_key,
    from dataset_posts
),

all_versions as (
    select * from from_x
    union all
    select * from from_reddit
    union all
    select * from from_datasets
    union all
    select * from live_posts
),

{#- A data set may hold a post twice, or one that its platform gave as well. -#}
current_versions as (
    select
        * exclude (first_fetched_at, last_fetched_at),
        min(first_fetched_at) over (partition by platform, post_id) as first_fetched_at,
        max(last_fetched_at) over (partition by platform, post_id) as last_fetched_at,
    from all_versions
    qualify
        row_number() over (
            partition by platform, post_id
            order by
                source != 'datasets' desc,
                all_versions.last_fetched_at desc,
                content_key asc
        ) = 1
),

final as (
    select
        platform || ':' || post_id as post_key,
        post_id,
        original_post_id,
        platform,
        source,
        dataset,
        {{ author_shown('author_id') }} as author_id,
        {{ author_shown('author_name', 'coalesce(author_id, author_name)') }}
            as author_name,
        author_followers_count,
        author_posts_count,
        author_created_at,
        posted_at,
        {{ business_date('posted_at') }} as posted_date,
        text,
        text_key(text) as text_key,
        platform_language,
        like_count,
        reply_count,
        repost_count,
        quote_count,
        view_count,
        {#- Older captures mark a repost by its text alone. #}
        is_repost or coalesce(regexp_matches(text, '^RT @\w+:'), false) as is_repost,
        reposted_post_id,
        is_reply,
        is_edited,
        withheld_reason is not null as is_withheld,
        withheld_reason,
        {{ url_shown('url', ['author_id', 'author_name']) }} as url,
        is_simulated,
        first_fetched_at,
        last_fetched_at,
    from current_versions
)

select * from final
