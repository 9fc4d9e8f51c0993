"""Which networks the coverage table shows, and how small they can be made: random weights, ten classes."""

import contextlib
import sys
import types
from collections.abc import Iterator

import torch
from torch import Tensor, nn

TORCHVISION = {
    "AlexNet": "alexnet",
    "ConvNeXt": "convnext_tiny",
    "DenseNet": "densenet121",
    "EfficientNet": "efficientnet_b0",
    "EfficientNet V2": "efficientnet_v2_s",
    "GoogLeNet": "googlenet",
    "Inception V3": "inception_v3",
    "MaxViT": "maxvit_t",
    "MNASNet": "mnasnet0_5",
    "MobileNet V2": "mobilenet_v2",
    "MobileNet V3": "mobilenet_v3_small",
    "RegNet X": "regnet_x_400mf",
    "RegNet Y": "regnet_y_400mf",
    "ResNet": "resnet18",
    "ResNet, bottlenecks": "resnet50",
    "ResNeXt": "resnext50_32x4d",
    "ShuffleNet V2": "shufflenet_v2_x0_5",
    "SqueezeNet": "squeezenet1_1",
    "Swin": "swin_t",
    "Swin V2": "swin_v2_t",
    "VGG": "vgg11",
    "VGG, batch norm": "vgg11_bn",
    "ViT": "vit_b_32",
    "Wide ResNet": "wide_resnet50_2",
}

TIMM = (
    "beit_base_patch16_224", "botnet26t_256", "cait_xxs24_224", "coat_lite_tiny", "coatnet_nano_rw_224",
    "convit_tiny", "convmixer_768_32", "convnext_atto", "convnextv2_atto", "crossvit_tiny_240",
    "cspresnet50", "davit_tiny", "deit3_small_patch16_224", "densenet121", "dla46_c", "ecaresnet26t",
    "edgenext_xx_small", "efficientformer_l1", "efficientnet_lite0", "efficientvit_b0",
    "eva02_tiny_patch14_224", "fastvit_t8", "focalnet_tiny_srf", "ghostnet_100", "gmlp_ti16_224",
    "halonet26t", "hgnetv2_b0", "hiera_tiny_224", "hrnet_w18_small", "inception_next_atto",
    "lambda_resnet26t", "levit_128s", "mambaout_femto", "maxvit_rmlp_pico_rw_256", "mixer_s32_224",
    "mobilenetv3_small_050", "mobilenetv4_conv_small", "mobileone_s0", "mobilevit_xxs", "mvitv2_tiny",
    "nest_tiny_jx", "pit_ti_224", "poolformer_s12", "pvt_v2_b0", "regnety_002", "repvgg_a0",
    "repvit_m0_9", "res2net50_14w_8s", "resmlp_12_224", "resnest14d", "resnet10t", "resnetv2_18",
    "resnext26ts", "rexnet_100", "selecsls42", "sequencer2d_s", "seresnet18", "skresnet18", "starnet_s1",
    "swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256", "tiny_vit_5m_224",
    "tnt_s_legacy_patch16_224", "twins_svt_small", "visformer_tiny", "vit_small_patch14_dinov2",
    "vit_small_patch16_dinov3", "vit_tiny_patch16_224", "volo_d1_224", "vovnet39a",
    "xcit_nano_12_p16_224",
)  # fmt: skip

SHALLOW = {
    "beit_base_patch16_224": {"embed_dim": 192, "depth": 4, "num_heads": 3},
    "cait_xxs24_224": {"depth": 4},
    "davit_tiny": {"depths": (1, 1, 2, 1)},
    "deit3_small_patch16_224": {"depth": 4},
    "eva02_tiny_patch14_224": {"depth": 4},
    "mixer_s32_224": {"num_blocks": 4},
    "mvitv2_tiny": {"depths": (1, 1, 2, 1)},
    "nest_tiny_jx": {"depths": (1, 1, 2)},
    "resmlp_12_224": {"num_blocks": 4},
    "swin_tiny_patch4_window7_224": {"depths": (2, 2, 2, 2)},
    "swinv2_tiny_window8_256": {"depths": (2, 2, 2, 2)},
    "tnt_s_legacy_patch16_224": {"depth": 4},
    "twins_svt_small": {"depths": (2, 2, 2, 2)},
    "vit_small_patch14_dinov2": {"depth": 4},
    "vit_small_patch16_dinov3": {"depth": 4},
    "vit_tiny_patch16_224": {"depth": 4},
    "xcit_nano_12_p16_224": {"depth": 4},
}
"""Fewer copies of the same block, where a family's smallest member is still large."""

SIZES = (32, 64, 96, 112, 128, 160, 192, 224, 240, 256, 299)


def torchvision_models() -> types.ModuleType:
    """The module of torchvision's networks, also where its compiled operators do not load."""
    sys.modules.setdefault(
        "torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations")
    )
    import torchvision.models

    return torchvision.models


LIBRARIES = ("timm", "torchvision")


def names(library: str) -> list[str]:
    """One small network of each family; the library itself is loaded on the way."""
    torchvision_models()
    if library == "torchvision":
        return list(TORCHVISION.values())
    import timm

    return [name for name in TIMM if timm.is_model(name)]


def build(library: str, name: str) -> tuple[nn.Module, Tensor]:
    """A network in evaluation mode and a batch of two of the smallest pictures that it takes."""
    torch.manual_seed(0)
    for model, size in _variants(library, name):
        x = torch.randn(2, 3, size, size)
        with contextlib.suppress(RuntimeError, ValueError, AssertionError, IndexError), torch.no_grad():
            y = model(x)
            if bool(torch.isfinite(y).all()):
                return model, x
    raise ValueError(f"{library} {name} takes no picture of {SIZES} pixels")


def _variants(library: str, name: str) -> Iterator[tuple[nn.Module, int]]:
    if library == "torchvision":
        yield from _torchvision(name)
        return
    torchvision_models()
    yield from _sized(name, SHALLOW.get(name, {}))
    if name in SHALLOW:
        yield from _sized(name, {})


def _sized(name: str, options: dict) -> Iterator[tuple[nn.Module, int]]:
    import timm

    for size in (64, 56, 96, 112, 128, 224, 256):
        with contextlib.suppress(Exception):  # most families take no img_size
            yield timm.create_model(name, num_classes=10, img_size=size, **options).eval(), size
    with contextlib.suppress(TypeError):  # the family fixes its depth
        model = timm.create_model(name, num_classes=10, **options).eval()
        yield from ((model, size) for size in SIZES)


def _torchvision(name: str) -> Iterator[tuple[nn.Module, int]]:
    models = torchvision_models()
    builder, options, sizes = models.get_model_builder(name), {}, SIZES
    if name.startswith("vit_"):
        options, sizes = {"image_size": 56 if name.endswith("14") else 64}, (64, 56)
    if name.startswith("maxvit"):
        sizes = (224,)
    if name in ("googlenet", "inception_v3"):
        options, sizes = {"init_weights": False, "aux_logits": False}, (96, 128)
    model = builder(weights=None, num_classes=10, **options).eval()
    yield from ((model, size) for size in sizes)
