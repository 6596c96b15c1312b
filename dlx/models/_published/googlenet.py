"""Names of GoogLeNet's weights, as torchvision publishes them: with batch norm."""

from dlx.name_maps import NameMap

TORCHVISION = NameMap(
    [
        (r"^stem\.([047])\.", "conv{1//3}.conv."),
        (r"^stem\.([158])\.", "conv{1//3}.bn."),
        (r"^conv(\d)\.", "conv{1+1}."),
        (r"^(inception\w\w)\.0\.", r"\1.branch1."),
        (r"^(inception\w\w)\.([12])\.([01])\.", r"\1.branch{2+1}.0.\3."),
        (r"^(inception\w\w)\.([12])\.([34])\.", r"\1.branch{2+1}.1.{3-3}."),
        (r"^(inception\w\w)\.3\.([12])\.", r"\1.branch4.1.{2-1}."),
        (r"^(inception.*)\.0\.(\w+)$", r"\1.conv.\2"),
        (r"^(inception.*)\.1\.(\w+)$", r"\1.bn.\2"),
        (r"^head4a\.", "aux1."),
        (r"^head4d\.", "aux2."),
        (r"^(aux\d)\.layers\.1\.", r"\1.conv.conv."),
        (r"^(aux\d)\.layers\.2\.", r"\1.conv.bn."),
        (r"^(aux\d)\.layers\.5\.", r"\1.fc1."),
        (r"^head\.\d+\.", "fc."),
    ],
    heads=r"^(fc|aux\d)\.",
)
NAMES = {"torchvision": TORCHVISION}
