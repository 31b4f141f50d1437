"""What each family of sizing and waste rules says of itself, for its model card.

What a family found on a day is counted elsewhere.
"""

from finops_dagster.engines.optimisation.cards.commitments import COMMITMENTS
from finops_dagster.engines.optimisation.cards.gpus import GPUS
from finops_dagster.engines.optimisation.cards.idle import BILLED, WORKLOADS
from finops_dagster.engines.optimisation.cards.machines import MACHINES
from finops_dagster.engines.optimisation.cards.placement import PLACEMENT
from finops_dagster.engines.optimisation.cards.portfolio import PORTFOLIO
from finops_dagster.engines.optimisation.cards.schedules import SCHEDULES
from finops_dagster.engines.optimisation.cards.serverless import SERVERLESS
from finops_dagster.engines.optimisation.cards.sizing import SIZING
from finops_dagster.engines.optimisation.cards.storage import STORAGE

DESCRIPTIONS = (
    SIZING,
    SCHEDULES,
    WORKLOADS,
    GPUS,
    MACHINES,
    SERVERLESS,
    BILLED,
    STORAGE,
    PLACEMENT,
    COMMITMENTS,
    PORTFOLIO,
)

__all__ = ["DESCRIPTIONS"]
