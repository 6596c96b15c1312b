"""Names and shapes of the tensors that torchvision and timm publish, written down from their modules' definitions."""


def conv(name, outputs, inputs, kernel, bias=False):
    return {f"{name}.weight": (outputs, inputs, kernel, kernel), **({f"{name}.bias": (outputs,)} if bias else {})}


def norm(name, size):
    names = ("weight", "bias", "running_mean", "running_var")
    return {**{f"{name}.{kind}": (size,) for kind in names}, f"{name}.num_batches_tracked": ()}


def layer_norm(name, size):
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def linear(name, outputs, inputs):
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def resnet(blocks, bottleneck):
    found = {**conv("conv1", 64, 3, 7), **norm("bn1", 64)}
    inputs, expansion = 64, 4 if bottleneck else 1
    for stage, times in enumerate(blocks, 1):
        width = 64 * 2 ** (stage - 1)
        for block in range(times):
            at = f"layer{stage}.{block}"
            cuts = [(width, inputs, 1), (width, width, 3), (4 * width, width, 1)]
            cuts = cuts if bottleneck else [(width, inputs, 3), (width, width, 3)]
            for i, (outputs, before, kernel) in enumerate(cuts, 1):
                found |= {**conv(f"{at}.conv{i}", outputs, before, kernel), **norm(f"{at}.bn{i}", outputs)}
            if block == 0 and (stage > 1 or bottleneck):
                outputs = expansion * width
                found |= {
                    **conv(f"{at}.downsample.0", outputs, inputs, 1),
                    **norm(f"{at}.downsample.1", outputs),
                }
            inputs = expansion * width
    return {**found, **linear("fc", 1000, inputs)}


def vgg(numbers, widths, batch_norm):
    """Return the tensors of a network whose convolutions have these numbers among its features."""
    found, inputs = {}, 3
    for number, width in zip(numbers, widths, strict=True):
        found |= conv(f"features.{number}", width, inputs, 3, bias=True)
        found |= norm(f"features.{number + 1}", width) if batch_norm else {}
        inputs = width
    classifier = {**linear("classifier.0", 4096, 25088), **linear("classifier.3", 4096, 4096)}
    return {**found, **classifier, **linear("classifier.6", 1000, 4096)}


def alexnet():
    found = {}
    for number, outputs, inputs, kernel in (
        (0, 64, 3, 11),
        (3, 192, 64, 5),
        (6, 384, 192, 3),
        (8, 256, 384, 3),
        (10, 256, 256, 3),
    ):
        found |= conv(f"features.{number}", outputs, inputs, kernel, bias=True)
    classifier = {**linear("classifier.1", 4096, 9216), **linear("classifier.4", 4096, 4096)}
    return {**found, **classifier, **linear("classifier.6", 1000, 4096)}


def densenet():
    found = {**conv("features.conv0", 64, 3, 7), **norm("features.norm0", 64)}
    size = 64
    for block, times in enumerate((6, 12, 24, 16), 1):
        for layer in range(1, times + 1):
            at = f"features.denseblock{block}.denselayer{layer}"
            found |= {**norm(f"{at}.norm1", size), **conv(f"{at}.conv1", 128, size, 1)}
            found |= {**norm(f"{at}.norm2", 128), **conv(f"{at}.conv2", 32, 128, 3)}
            size += 32
        if block < 4:
            at = f"features.transition{block}"
            found |= {**norm(f"{at}.norm", size), **conv(f"{at}.conv", size // 2, size, 1)}
            size //= 2
    return {**found, **norm("features.norm5", size), **linear("classifier", 1000, size)}


def mobilenet_v2():
    found = {**conv("features.0.0", 32, 3, 3), **norm("features.0.1", 32)}
    inputs, number = 32, 1
    for expansion, outputs, times in (
        (1, 16, 1),
        (6, 24, 2),
        (6, 32, 3),
        (6, 64, 4),
        (6, 96, 3),
        (6, 160, 3),
        (6, 320, 1),
    ):
        for _ in range(times):
            at, inside = f"features.{number}.conv", expansion * inputs
            i = 0
            if expansion > 1:
                found |= {**conv(f"{at}.0.0", inside, inputs, 1), **norm(f"{at}.0.1", inside)}
                i = 1
            found |= {**conv(f"{at}.{i}.0", inside, 1, 3), **norm(f"{at}.{i}.1", inside)}
            found |= {**conv(f"{at}.{i + 1}", outputs, inside, 1), **norm(f"{at}.{i + 2}", outputs)}
            inputs, number = outputs, number + 1
    last = {**conv("features.18.0", 1280, 320, 1), **norm("features.18.1", 1280)}
    return {**found, **last, **linear("classifier.1", 1000, 1280)}


def googlenet():
    def unit(name, outputs, inputs, kernel):
        return {**conv(f"{name}.conv", outputs, inputs, kernel), **norm(f"{name}.bn", outputs)}

    found = {**unit("conv1", 64, 3, 7), **unit("conv2", 64, 64, 1), **unit("conv3", 192, 64, 3)}
    for name, inputs, one, before3, three, before5, five, pooled in (
        ("3a", 192, 64, 96, 128, 16, 32, 32),
        ("3b", 256, 128, 128, 192, 32, 96, 64),
        ("4a", 480, 192, 96, 208, 16, 48, 64),
        ("4b", 512, 160, 112, 224, 24, 64, 64),
        ("4c", 512, 128, 128, 256, 24, 64, 64),
        ("4d", 512, 112, 144, 288, 32, 64, 64),
        ("4e", 528, 256, 160, 320, 32, 128, 128),
        ("5a", 832, 256, 160, 320, 32, 128, 128),
        ("5b", 832, 384, 192, 384, 48, 128, 128),
    ):
        at = f"inception{name}"
        found |= {**unit(f"{at}.branch1", one, inputs, 1), **unit(f"{at}.branch2.0", before3, inputs, 1)}
        found |= {**unit(f"{at}.branch2.1", three, before3, 3), **unit(f"{at}.branch3.0", before5, inputs, 1)}
        found |= {**unit(f"{at}.branch3.1", five, before5, 3), **unit(f"{at}.branch4.1", pooled, inputs, 1)}
    return {**found, **linear("fc", 1000, 1024)}


def convnext_tiny():
    found = {**conv("features.0.0", 96, 3, 4, bias=True), **layer_norm("features.0.1", 96)}
    for stage, (width, times) in enumerate(((96, 3), (192, 3), (384, 9), (768, 3))):
        if stage:
            at = f"features.{2 * stage}"
            found |= {**layer_norm(f"{at}.0", width // 2), **conv(f"{at}.1", width, width // 2, 2, bias=True)}
        for block in range(times):
            at = f"features.{2 * stage + 1}.{block}"
            found |= {f"{at}.layer_scale": (width, 1, 1), **conv(f"{at}.block.0", width, 1, 7, bias=True)}
            found |= {**layer_norm(f"{at}.block.2", width), **linear(f"{at}.block.3", 4 * width, width)}
            found |= linear(f"{at}.block.5", width, 4 * width)
    return {**found, **layer_norm("classifier.0", 768), **linear("classifier.2", 1000, 768)}


def timm_convnext_tiny():
    found = {**conv("stem.0", 96, 3, 4, bias=True), **layer_norm("stem.1", 96)}
    for stage, (width, times) in enumerate(((96, 3), (192, 3), (384, 9), (768, 3))):
        if stage:
            at = f"stages.{stage}.downsample"
            found |= {**layer_norm(f"{at}.0", width // 2), **conv(f"{at}.1", width, width // 2, 2, bias=True)}
        for block in range(times):
            at = f"stages.{stage}.blocks.{block}"
            found |= {f"{at}.gamma": (width,), **conv(f"{at}.conv_dw", width, 1, 7, bias=True)}
            found |= {**layer_norm(f"{at}.norm", width), **linear(f"{at}.mlp.fc1", 4 * width, width)}
            found |= linear(f"{at}.mlp.fc2", width, 4 * width)
    return {**found, **layer_norm("head.norm", 768), **linear("head.fc", 1000, 768)}


def vit_b_16():
    found = {"class_token": (1, 1, 768), **conv("conv_proj", 768, 3, 16, bias=True)}
    found |= {"encoder.pos_embedding": (1, 197, 768)}
    for layer in range(12):
        at = f"encoder.layers.encoder_layer_{layer}"
        found |= {f"{at}.self_attention.in_proj_weight": (2304, 768), f"{at}.self_attention.in_proj_bias": (2304,)}
        found |= {**linear(f"{at}.self_attention.out_proj", 768, 768), **layer_norm(f"{at}.ln_1", 768)}
        found |= {**layer_norm(f"{at}.ln_2", 768), **linear(f"{at}.mlp.0", 3072, 768)}
        found |= linear(f"{at}.mlp.3", 768, 3072)
    return {**found, **layer_norm("encoder.ln", 768), **linear("heads.head", 1000, 768)}


def timm_vit_b_16():
    found = {"cls_token": (1, 1, 768), "pos_embed": (1, 197, 768), **conv("patch_embed.proj", 768, 3, 16, bias=True)}
    for layer in range(12):
        at = f"blocks.{layer}"
        found |= {**layer_norm(f"{at}.norm1", 768), **linear(f"{at}.attn.qkv", 2304, 768)}
        found |= {**linear(f"{at}.attn.proj", 768, 768), **layer_norm(f"{at}.norm2", 768)}
        found |= {**linear(f"{at}.mlp.fc1", 3072, 768), **linear(f"{at}.mlp.fc2", 768, 3072)}
    return {**found, **layer_norm("norm", 768), **linear("head", 1000, 768)}


VGG16 = [64, 64, 128, 128, 256, 256, 256, *[512] * 6]
PUBLISHED = {
    "torchvision resnet18": ({"resnet": 18}, resnet((2, 2, 2, 2), bottleneck=False)),
    "torchvision resnet50": ({"resnet": 50}, resnet((3, 4, 6, 3), bottleneck=True)),
    "timm resnet34": ({"resnet": 34}, resnet((3, 4, 6, 3), bottleneck=False)),
    "torchvision vgg16": (
        {"vgg": 16},
        vgg([0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28], VGG16, batch_norm=False),
    ),
    "torchvision vgg16_bn": (
        {"vgg": {"depth": 16, "batch_norm": True}},
        vgg([0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40], VGG16, batch_norm=True),
    ),
    "torchvision alexnet": ({"alexnet": {}}, alexnet()),
    "torchvision densenet121": ({"densenet": 121}, densenet()),
    "torchvision mobilenet_v2": ({"mobilenet": 2}, mobilenet_v2()),
    "torchvision googlenet": ({"googlenet": {}}, googlenet()),
    "torchvision convnext_tiny": ({"convnext": {}}, convnext_tiny()),
    "timm convnext_tiny": ({"convnext": {}}, timm_convnext_tiny()),
    "torchvision vit_b_16": ({"vit": {}}, vit_b_16()),
    "timm vit_base_patch16_224": ({"vit": {}}, timm_vit_b_16()),
}
"""By library and model: our spec of it, and the shapes of its tensors."""
