-- Conservation: posts and engagement of the authors are those of the facts.
with facts as (
    select
        platform,
        count(*) as posts_count,
        sum(engagement_count) as engagement_count,
    from {{ ref('fct_posts') }}
    where is_relevant and author_id is not null
    group by platform
),

authors as (
    select
        platform,
        sum(posts_count) as posts_count,
        sum(engagement_count) as engagement_count,
    from {{ ref('mart_author_influence') }}
    group by platform
)

select
    facts.platform,
    facts.posts_count,
    authors.posts_count as author_posts_count,
from facts
full outer join authors on facts.platform = authors.platform
where
    facts.posts_count is distinct from authors.posts_count
    or facts.engagement_count is distinct from authors.engagement_count
