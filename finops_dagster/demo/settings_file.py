"""The finops.yaml of the estate, commented so that a person can learn from it.

What the keys mean is said by the product's settings; this writes one example of them.
"""

from __future__ import annotations

import re
from datetime import date

from finops_dagster.demo.consumption import meters
from finops_dagster.demo.folders import ALLOWED_PATHS, CARDS, CLUSTER_REGIONS, ML_NAMESPACES
from finops_dagster.demo.models import MODELS, TRAINING, Monitored
from finops_dagster.demo.tokens import LANGUAGE_MODELS, LanguageModel
from finops_dagster.domain.errors import Stopped

_AS_OF = re.compile(r"(?m)^as_of: .*$")


def settings_text(seed: int, start: date, as_of: date) -> str:
    """The whole file."""
    models = "\n".join(map(_model, MODELS))
    language_models = "\n".join(_language_model(model) for model in LANGUAGE_MODELS)
    clusters = "\n".join(f"  {name}: {region}" for name, region in CLUSTER_REGIONS.items())
    allowed = "\n".join(f'    - "{pattern}"' for pattern in ALLOWED_PATHS)
    return _TEXT.format(
        seed=seed,
        start=start,
        as_of=as_of,
        models=models,
        language_models=language_models,
        clusters=clusters,
        allowed=allowed,
        cards=CARDS,
    )


def _model(model: Monitored) -> str:
    groups = ", ".join(name for name, _ in model.groups)
    lines = [
        f"  - name: {model.name}",
        f"    purpose: {model.purpose}",
        f"    risk_class: {model.risk_class}",
        f"    task: {model.task}",
        f"    owner: {model.owner}",
        f"    features: [{', '.join(feature.name for feature in model.features)}]",
        f"    protected: [{groups}]",
        f"    segments: [{groups}]",
        f"    training_data: {model.training_data}",
        f"    workload: {model.workload}",
        f"    error_cost: {{amount: {model.error_cost}, currency: EUR}}",
    ]
    if model.name == "churn":
        lines += [
            "    remedies:       # the version that is served is found; what trains it is told",
            f"      retrain: {{resource: ConfigMap/{ML_NAMESPACES[0]}/{TRAINING}, "
            "field: data.data_until}",
        ]
    return "\n".join(lines)


def _language_model(model: LanguageModel) -> str:
    text = f"  - provider: {model.provider}\n    model: {model.model}\n"
    if model.workload is not None:
        return f"{text}    workload: {model.workload}"
    by_key = {meter.key: meter for meter in meters()}
    lines = [
        f"      - {{tokens: {type_}, service: {by_key[key].service.name}, "
        f"meter: {by_key[key].meter}}}"
        for type_, key in model.meters.items()
    ]
    return "\n".join([f"{text}    meters:", *lines])


def with_as_of(text: str, as_of: date) -> str:
    """`text` with its as_of line, and no other, changed; raises Stopped if it has none."""
    changed, count = _AS_OF.subn(f"as_of: {as_of.isoformat()}", text, count=1)
    if count == 0:
        raise Stopped("finops.yaml of the demo has no as_of line: restore it, or create it anew.")
    return changed


_TEXT = """# A simulated company, Halden Group, made from seed {seed}. Everything here is invented.
# Paths are relative to this file. Any key may be left out; `finops doctor` checks the rest.

estate: Halden Group demo

# The day decided for. The demo has its own calendar; leave it out to mean yesterday, UTC.
as_of: {as_of}
# First day of its history.
start: {start}

# true: open, update and close pull requests. false: only say what would be done.
act: true
# observe: decide only. propose: pull requests that people merge.
autonomy: propose

# What the clouds bill, as FOCUS 1.2. Money stays in the currency it was billed in.
billing:
  - name: aws
    path: exports/aws
  - name: azure        # billed in EUR
    path: exports/azure
  - name: gcp
    path: exports/gcp

# Whose costs are: teams, rules and what is shared.
allocation: allocation.yaml

# What workloads did: kube-state-metrics, cAdvisor, kubelet, DCGM and node exporters.
telemetry:
  - name: prometheus
    path: telemetry

# Grid carbon intensity by region and hour.
carbon:
  - name: grid
    path: carbon

# What monitored AI models were asked and said, and what turned out to be true.
predictions:
  - name: serving-log
    path: predictions
labels:
  - name: outcomes
    path: labels

# What was sold: costs are told per order, payment and parcel.
business_metrics:
  - name: sales
    path: business

models:
{models}

# Where a model that nobody registered may be registered, by pull request.
ai:
  cards_folder: {cards}

# What trained models, as rows of a tracking server, and which versions that made.
runs:
  - name: tracking
    path: runs
    format: files
  - name: registry
    path: model_versions
    format: versions

# Tokens that services asked of language models, and what they are paid by.
token_usage:
  - name: gen-ai
    path: token_usage
    format: files
language_models:
{language_models}

# Which region's grid feeds each cluster.
clusters:
{clusters}

# The repository that declares what runs, and the files that may be edited.
desired_state:
  forge: local
  repository: gitops.git
  branch: main
  allowed_paths:
{allowed}

# Days whose runs, predictions and tokens share what is billed by now: a whole month.
matching:
  run_days: 31

limits:
  open_pull_requests: 20
  new_pull_requests: 20
  min_saving_per_month: 5      # in the currency of the saving
"""
