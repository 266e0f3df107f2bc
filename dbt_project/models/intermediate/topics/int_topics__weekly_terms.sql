{#-
People, not words: a term counts once per author and week, so that no single account and
no repeated text makes a topic. Of a week only terms with three authors are kept, which
is more than can emerge; all terms ever seen count in the correction.
-#}
{%- set weeks_before = 8 -%}
{%- set weeks_before_min = 4 -%}

with

posts as (
    select * from {{ ref('int_topics__post_words') }}
),

post_terms as (
    select
        week_start_date,
        author_key,
        unnest({{ topic_terms('content_words') }}) as term,
    from posts
    where not is_suspected_bot
),

author_terms as (
    select distinct
        week_start_date,
        author_key,
        term,
    from post_terms
),

term_weeks as (
    select
        term,
        week_start_date,
        count(*) as authors_count,
    from author_terms
    group by term, week_start_date
),

{#- When a term was first seen, and since when it was known: used by enough before. -#}
running as (
    select
        term,
        week_start_date,
        authors_count,
        coalesce(
            sum(authors_count) over (
                partition by term
                order by week_start_date
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as authors_ever_before_count,
    from term_weeks
),

term_spans as (
    select
        term,
        min(week_start_date) as first_week_date,
        min(week_start_date) filter (
            where
            authors_ever_before_count + authors_count >= {{ topic_authors_min() }}
        ) as last_unknown_week_date,
        max(authors_count) as most_authors_count,
    from running
    group by term
),

weeks as (
    select
        week_start_date,
        count(distinct author_key) as authors_count,
    from posts
    where not is_suspected_bot
    group by week_start_date
),

first_seen as (
    select
        first_week_date as week_start_date,
        count(*) as terms_count,
    from term_spans
    group by first_week_date
),

last_unknown as (
    select
        last_unknown_week_date as week_start_date,
        count(*) as terms_count,
    from term_spans
    where last_unknown_week_date is not null
    group by last_unknown_week_date
),

{#- Frames count days, not rows: a week without posts is a week all the same. -#}
weeks_with_past as (
    select
        weeks.week_start_date,
        weeks.authors_count,
        sum(weeks.authors_count) over past as authors_before_count,
        count(*) over past as weeks_before_count,
        coalesce(
            sum(last_unknown.terms_count) over (
                order by weeks.week_start_date
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as known_terms_count,
        coalesce(
            sum(first_seen.terms_count) over (order by weeks.week_start_date), 0
        ) as seen_terms_count,
    from weeks
    left join first_seen on weeks.week_start_date = first_seen.week_start_date
    left join last_unknown on weeks.week_start_date = last_unknown.week_start_date
    window past as (
        order by weeks.week_start_date
        range between interval {{ 7 * weeks_before }} days preceding
        and interval 1 day preceding
    )
),

{#- Known and new terms are corrected apart: most new ones are used once, by one. -#}
families as (
    select
        sum(known_terms_count) as known_family_count,
        sum(seen_terms_count - known_terms_count) as new_family_count,
    from weeks_with_past
    where weeks_before_count >= {{ weeks_before_min }}
),

with_past as (
    select
        running.term,
        running.week_start_date,
        running.authors_count,
        coalesce(
            sum(running.authors_count) over (
                partition by running.term
                order by running.week_start_date
                range between interval {{ 7 * weeks_before }} days preceding
                and interval 1 day preceding
            ),
            0
        ) as authors_before_count,
        running.authors_ever_before_count >= {{ topic_authors_min() }} as is_known,
    from running
    inner join term_spans on running.term = term_spans.term
    where term_spans.most_authors_count >= 3
),

final as (
    select
        {{ topic_kind('with_past.term') }} as topic_kind,
        with_past.term as topic,
        with_past.week_start_date,
        with_past.authors_count,
        with_past.authors_before_count,
        weeks_with_past.authors_count as week_authors_count,
        weeks_with_past.authors_before_count as week_authors_before_count,
        with_past.is_known,
        case
            when with_past.is_known then families.known_family_count
            else families.new_family_count
        end as family_count,
    from with_past
    inner join weeks_with_past
        on with_past.week_start_date = weeks_with_past.week_start_date
    cross join families
    where
        with_past.authors_count >= 3
        and weeks_with_past.weeks_before_count >= {{ weeks_before_min }}
)

select * from final
