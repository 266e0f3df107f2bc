"""A simulated shop and its audience, in the wire shapes that the platforms send.

The front door: `NAME`, `STREAMS`, `IS_SIMULATED`, `Settings` and `pull`, as `extract.base.Source`
describes them. What was planted is written to `context.truth_path`, beside the data.
"""

from extract.simulated.settings import Scenario, Settings
from extract.simulated.source import IS_SIMULATED, NAME, STREAMS, pull

__all__ = ["IS_SIMULATED", "NAME", "STREAMS", "Scenario", "Settings", "pull"]
