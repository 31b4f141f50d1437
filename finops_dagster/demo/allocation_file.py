"""The allocation file of the estate, commented so that a person can learn from it.

What the keys mean is said by the product; this writes one example of them.
"""

from __future__ import annotations

from finops_dagster.demo.catalogue import NODE_CLUSTER
from finops_dagster.demo.company import ACCOUNTS, TEAMS

_PRODUCTS = {"retail": "Shop", "payments": "Pay", "logistics": "Deliver"}


def allocation_text() -> str:
    """The whole file."""
    teams = "\n".join(
        f"  - {{name: {team.name}, business_unit: {team.business_unit}, "
        f"cost_center: {team.cost_center}"
        + (f", product: {product}" if (product := _PRODUCTS.get(team.business_unit)) else "")
        + "}"
        for team in TEAMS.values()
    )
    return _TEXT.format(
        teams=teams,
        dev=ACCOUNTS["aws-dev"].id,
        shared=ACCOUNTS["aws-shared"].id,
        nodes=NODE_CLUSTER,
    )


_TEXT = """# Whose costs are. A change here allocates anew the months that it may change.

# What is known of each team fills in what rules and tags do not say.
teams:
{teams}

# In order: each dimension takes the first rule that gives it a value, then what tags say.
rules:
  - name: sandboxes of engineering-dev
    when: {{sub_account_id: "{dev}", team: ""}}      # "" is: no team by its tags
    set: {{team: platform-sre, environment: dev}}
  - name: machine learning egress
    when: {{service_name: Networking, sub_account_name: halden-ml, team: ""}}
    set: {{team: ml-platform}}
  # a cluster whose machines are billed: each namespace pays for what its pods held
  - name: shared cluster, retail
    when: {{cluster: {nodes}, namespace: [recommendations, notifications]}}
    set:
      team: {{column: namespace, map: {{recommendations: search, notifications: storefront}}}}
  - name: shared cluster, translation
    when: {{cluster: {nodes}, namespace: translation}}
    set: {{team: ml-platform}}

# Paid by who uses it: what is given is negated where it came from.
shared:
  - name: idle machines                              # by what each has of the cluster
    when: {{cost_part: idle}}
    split: proportional
    by: effective_cost
    among: {{cluster: {nodes}}}
  - name: cluster operations
    when: {{team: platform-sre, namespace: "*"}}
    split: proportional
    by: cpu_core_hours
  - name: retail network
    when: {{team: platform-sre, service_name: Amazon Virtual Private Cloud}}
    split: proportional
    by: effective_cost
    among: {{business_unit: retail}}
  - name: shared services
    when: {{sub_account_id: "{shared}", team: platform-sre}}
    split: fixed
    shares: {{storefront: 0.3, search: 0.25, checkout: 0.25}}      # a fifth stays where it is
  - name: tax
    when: {{charge_category: Tax}}
    split: proportional
    by: billed_cost

# What costs are told per; how much there was of each is in business_metrics of finops.yaml.
units:
  - {{name: cost per order, metric: orders, of: {{product: Shop}}}}
  - {{name: cost per payment, metric: payments, of: {{product: Pay}}}}
  - {{name: cost per thousand parcels, metric: parcels, of: {{product: Deliver}}, per: 1000}}
  - {{name: cost per active user, metric: active users}}

# What may be spent, each in its own currency.
budgets:
  - {{name: search, of: {{team: search}}, currency: USD, amount: 7200}}
  - {{name: machine learning, of: {{team: ml-platform}}, currency: USD, amount: 7800}}
  - name: payments
    of: {{product: Pay}}
    currency: EUR
    period: quarter
    amount: 33000
    phasing: by_day

# What teams are charged; what no entry fits, they are charged at cost.
price_list:
  - {{name: GPU rate, price: 1.6, per: GPU-Hours, currency: USD}}
  - {{name: platform overhead, markup: 0.05, unless: {{charge_category: Tax}}}}
"""
