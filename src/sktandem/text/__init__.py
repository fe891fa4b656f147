"""Two text datasets, one pretrained encoder: fine-tuned on both."""

from sktandem._extras import require

require("sktandem.text", "torch", "skorch", "transformers")

from sktandem.text._fine_tuning import FineTuning
from sktandem.text._shared_text_net import SharedTextNet
from sktandem.text._small import small_encoder

__all__ = ["FineTuning", "SharedTextNet", "small_encoder"]
