{#-
What every staging model shares. Raw keeps a record as often as it was fetched; staging
keeps each distinct content of a record once, with the first and the last time it was
seen. An incremental run reads every record that a new load touches again from the
beginning, whole: so it ends where a full refresh would.
-#}

{#-
Distinct contents of the records of a stream, as the body of a CTE: record_id, payload,
content_key, first_fetched_at, last_fetched_at, is_simulated and the load's metadata.
Forgotten records are left out. Use with unique_key='record_id'.
-#}
{% macro snapshots(source_name, stream) %}
    select
        record_id,
        md5(cast(payload as varchar)) as content_key,
        any_value(payload) as payload,
        min(fetched_at) as first_fetched_at,
        max(fetched_at) as last_fetched_at,
        bool_or(is_simulated) as is_simulated,
        min(source_file) as _source_file,
        min(run_id) as _run_id,
        max(loaded_at) as _loaded_at,
        max(load_id) as _load_id,
    from {{ source(source_name, stream) }}
    where
        record_id not in ({{ forgotten_records(source_name, stream) }})
        {%- if is_incremental() %}
        and record_id in (
            select touched.record_id
            from {{ source(source_name, stream) }} as touched
            where
                touched.load_id
                > (select coalesce(max(built._load_id), -1) from {{ this }} as built)
        )
        {%- endif %}
    group by record_id, md5(cast(payload as varchar))
{% endmacro %}

{#-
Records of raw that the list of forgotten ones names: the load keeps them out, so there are
none unless raw was written past it. The list holds salted hashes, no ids.
-#}
{% macro forgotten_records(source_name, stream) -%}
    select known.record_id
    from {{ source(source_name, stream) }} as known
    where
        left(
            sha256(
                concat(
                    (select any_value(salted.salt)
                    from {{ source('pipeline', 'tombstones') }} as salted),
                    '|record|{{ source_name }}/{{ stream }}|',
                    known.record_id
                )
            ),
            32
        ) in (
            select forgotten.record_key
            from {{ source('pipeline', 'tombstones') }} as forgotten
            where
                forgotten.role = 'record'
                and forgotten.source = '{{ source_name }}'
                and forgotten.stream = '{{ stream }}'
        )
{%- endmacro %}

{#- Before an incremental run: what raw no longer holds, or must not, goes from staging. -#}
{% macro drop_forgotten(source_name, stream) -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where
            record_id in ({{ forgotten_records(source_name, stream) }})
            or record_id not in (
                select kept.record_id
                from {{ source(source_name, stream) }} as kept
                where kept.record_id is not null
            )
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}

{#-
One JSON reading a row, three to four times faster than one a field. A value of another
type than declared becomes null: a strange record never stops a build.
-#}
{% macro unpack(payload, shape) -%}
    json_transform({{ payload }}, {{ sql_text(tojson(shape)) }})
{%- endmacro %}

{#- An instant of ISO text, null where it is none or outside 1970 to 2199. -#}
{% macro instant(text) -%}
    case
        when try_cast({{ text }} as timestamptz) >= timestamptz '1970-01-01 00:00:00+00'
            and try_cast({{ text }} as timestamptz) < timestamptz '2200-01-01 00:00:00+00'
            then try_cast({{ text }} as timestamptz)
    end
{%- endmacro %}

{#- An instant of seconds since 1970, null where it is none or outside 1970 to 2199. -#}
{% macro instant_of_epoch(seconds) -%}
    case
        when {{ seconds }} >= 0 and {{ seconds }} < 7258118400
            then to_timestamp({{ seconds }})
    end
{%- endmacro %}

{#- An instant of microseconds since 1970, null where it is none or outside 1970 to 2199. -#}
{% macro instant_of_microseconds(microseconds) -%}
    case
        when {{ microseconds }} >= 0 and {{ microseconds }} < 7258118400000000
            then make_timestamptz({{ microseconds }})
    end
{%- endmacro %}

{#-
A count: never negative, and never above 10^12, which nothing has: what a server makes up
must not overflow the sums.
-#}
{% macro count_of(number) -%}
    case when {{ number }} between 0 and 1000000000000 then {{ number }} end
{%- endmacro %}

{#- Votes up less votes down: may be negative, within the bounds of a count. -#}
{% macro score_of(number) -%}
    case
        when {{ number }} between -1000000000000 and 1000000000000 then {{ number }}
    end
{%- endmacro %}

{#-
A measured number of text: 'NaN' and 'inf' read as numbers and are none, nor is what is
so large that a sum of it would be infinite.
-#}
{% macro number_of(text) -%}
    case
        when try_cast({{ text }} as double) between -1e15 and 1e15
            then try_cast({{ text }} as double)
    end
{%- endmacro %}

{#- Text with something in it, else null. -#}
{% macro filled(text) -%}
    nullif(trim({{ text }}), '')
{%- endmacro %}

{#- One name a platform, whatever a data set's mapping calls it. -#}
{% macro platform_name(platform, dataset) -%}
    case
        when lower({{ filled(platform) }}) in ('twitter', 'x (twitter)', 'x.com') then 'x'
        else lower(coalesce({{ filled(platform) }}, {{ dataset }}))
    end
{%- endmacro %}

{#- The smallest of a group's numeric ids, which is the oldest: ids outgrow bigint. -#}
{% macro earliest_id(id) -%}
    arg_min({{ id }}, lpad({{ id }}, 40, '0'))
{%- endmacro %}
