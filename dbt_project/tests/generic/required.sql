{#- No named column is null: one query for all, since each test costs a round trip. -#}
{% test required(model, columns) %}
select {{ columns | join(', ') }}
from {{ model }}
where
    {% for column in columns -%}
    {{ column }} is null {% if not loop.last %}or {% endif %}
    {% endfor %}
{% endtest %}
