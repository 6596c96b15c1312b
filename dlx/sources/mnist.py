from __future__ import annotations

from pathlib import Path
from typing import Literal

from dlx.sources import Samples, Source
from dlx.sources._download import data_folder, missing_address
from dlx.sources._idx import load_idx

FILES = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")


class Mnist(Source):
    """MNIST, handwritten digits: 60,000 images to train and 10,000 to test on.

    Looked for in `$DLX_DATA/mnist/` (else the user's cache), downloaded where absent (11 MB).

    Shapes:  image (1, 28, 28), 0 … 255; classes "0" … "9".
    Raises:  DataError if a file is damaged or cannot be downloaded, or a label is no digit.
    Source:  LeCun et al. 1998, Gradient-based learning applied to document recognition.

    Example:
        mnist
    """

    type: Literal["mnist"] = "mnist"

    def load(self, base: Path, on_error: str = "raise") -> Samples:
        return load_idx(self.type, FILES, MIRRORS, tuple("0123456789"), on_error)

    def address(self, base: Path) -> str:
        return missing_address(self.type, FILES, MIRRORS)

    def files(self, base: Path) -> list[Path]:
        return [data_folder(self.type) / file for file in FILES]
