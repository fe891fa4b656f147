"""Two text datasets, one pretrained encoder: fine-tuned on both."""

from sktandem._extras import require

require("sktandem.text", "torch", "skorch", "transformers")

from sktandem.text._alternating import TextAlternatingClassifier
from sktandem.text._multihead import TextMultiHeadClassifier
from sktandem.text._small import small_encoder

__all__ = ["TextAlternatingClassifier", "TextMultiHeadClassifier", "small_encoder"]
