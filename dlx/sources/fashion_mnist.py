from __future__ import annotations

from pathlib import Path
from typing import Literal

from dlx.sources import Samples, Source
from dlx.sources._download import data_folder, missing_address
from dlx.sources._idx import load_idx

FILES = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
)
CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


class FashionMnist(Source):
    """Fashion-MNIST: images of clothing in the format of MNIST: 60,000 to train and 10,000 to test on.

    Looked for in `$DLX_DATA/fashion_mnist/` (else the user's cache), downloaded where absent (31 MB).

    Shapes:  image (1, 28, 28), 0 … 255; ten classes.
    Raises:  DataError if a file is damaged or cannot be downloaded, or a label is not one of the ten.
    Source:  Xiao et al. 2017, arXiv:1708.07747.

    Example:
        fashion_mnist
    """

    type: Literal["fashion_mnist"] = "fashion_mnist"

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        return load_idx(self.type, FILES, MIRRORS, CLASSES, on_error)

    def address(self, base: Path) -> str:
        return missing_address(self.type, FILES, MIRRORS)

    def files(self, base: Path) -> list[Path]:
        return [data_folder(self.type) / file for file in FILES]
