"""Keras models: layer by layer against Keras itself, and the same inverse as the same network in PyTorch."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import pytest
import torch
from torch import nn

import preimage as pi
from preimage.errors import CaptureError

keras = pytest.importorskip("keras")
pytestmark = [  # Keras reads its own PyTorch variables in ways that NumPy and PyTorch have moved on from
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
layers = keras.layers
IMAGE, LINE, ROW, VOLUME = (9, 8, 6), (10, 4), (7,), (5, 6, 5, 3)


def randomised(model, seed=0):
    """Weights that hide no transposed matrix and no statistics of zero and one."""
    rng = np.random.default_rng(seed)
    model.set_weights(
        [
            np.abs(w) + rng.uniform(0.5, 1.5, w.shape)
            if "variance" in v.path
            else rng.normal(0, 0.3, w.shape)
            for v, w in zip(model.weights, model.get_weights(), strict=True)
        ]
    )
    return model


def inputs_of(model, seed=1, batch=2):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(batch, *t.shape[1:])).astype(np.float32) for t in model.inputs]


def agrees(model, tolerance=2e-5):
    model, network = randomised(model), None
    network = pi.from_keras(model)
    for batch in (1, 3):
        x = inputs_of(model, batch=batch)
        wanted = keras.ops.convert_to_numpy(model(x if len(x) > 1 else x[0], training=False))
        with torch.no_grad():
            found = network(*map(torch.from_numpy, x))
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found.numpy(), wanted, rtol=tolerance, atol=tolerance)
    return network


SINGLE = {
    "dense": (ROW, lambda: layers.Dense(5, activation="gelu")),
    "dense on images": (IMAGE, lambda: layers.Dense(5, use_bias=False)),
    "einsum dense": (LINE, lambda: layers.EinsumDense("abc,cd->abd", (10, 5), bias_axes="d")),
    "conv1d causal": (LINE, lambda: layers.Conv1D(5, 3, padding="causal", dilation_rate=2)),
    "conv1d same": (LINE, lambda: layers.Conv1D(5, 4, padding="same")),
    "conv2d": (IMAGE, lambda: layers.Conv2D(5, (3, 2), activation="silu")),
    "conv2d same": (IMAGE, lambda: layers.Conv2D(5, 3, padding="same", activation="relu")),
    "conv2d same, stride": (IMAGE, lambda: layers.Conv2D(5, 3, strides=2, padding="same")),
    "conv2d even, stride": (IMAGE, lambda: layers.Conv2D(5, (4, 2), strides=(3, 2), padding="same")),
    "conv2d groups": (IMAGE, lambda: layers.Conv2D(4, 3, groups=2, use_bias=False)),
    "conv2d dilated": (IMAGE, lambda: layers.Conv2D(4, 3, dilation_rate=2, padding="same")),
    "conv2d channels first": (IMAGE, lambda: layers.Conv2D(4, 3, data_format="channels_first")),
    "conv3d": (VOLUME, lambda: layers.Conv3D(4, 3, padding="same")),
    "depthwise": (IMAGE, lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same")),
    "depthwise1d": (LINE, lambda: layers.DepthwiseConv1D(3, depth_multiplier=2)),
    "separable": (IMAGE, lambda: layers.SeparableConv2D(5, 3, padding="same", activation="relu")),
    "transposed": (IMAGE, lambda: layers.Conv2DTranspose(5, 3, strides=2)),
    "transposed same": (IMAGE, lambda: layers.Conv2DTranspose(5, 3, strides=2, padding="same")),
    "transposed even": (IMAGE, lambda: layers.Conv2DTranspose(5, 4, strides=2, padding="same")),
    "transposed 1d": (LINE, lambda: layers.Conv1DTranspose(5, 2, strides=3)),
    "batch norm": (IMAGE, layers.BatchNormalization),
    "batch norm, rows": (ROW, lambda: layers.BatchNormalization(center=False, scale=False)),
    "batch norm, axis 1": (IMAGE, lambda: layers.BatchNormalization(axis=1)),
    "layer norm": (LINE, layers.LayerNormalization),
    "layer norm, two axes": (IMAGE, lambda: layers.LayerNormalization(axis=(-2, -1))),
    "rms norm": (LINE, layers.RMSNormalization),
    "group norm": (IMAGE, lambda: layers.GroupNormalization(3)),
    "unit norm": (LINE, layers.UnitNormalization),
    "max pool": (IMAGE, lambda: layers.MaxPooling2D(3, 2)),
    "max pool same": (IMAGE, lambda: layers.MaxPooling2D(3, 2, padding="same")),
    "average pool same": (IMAGE, lambda: layers.AveragePooling2D(3, 2, padding="same")),
    "average pool 1d": (LINE, lambda: layers.AveragePooling1D(2)),
    "global average": (IMAGE, layers.GlobalAveragePooling2D),
    "global max, kept": (IMAGE, lambda: layers.GlobalMaxPooling2D(keepdims=True)),
    "up": (IMAGE, lambda: layers.UpSampling2D((2, 3))),
    "up bilinear": (IMAGE, lambda: layers.UpSampling2D(2, interpolation="bilinear")),
    "pad": (IMAGE, lambda: layers.ZeroPadding2D(((1, 2), (3, 0)))),
    "crop": (IMAGE, lambda: layers.Cropping2D(((1, 2), (3, 0)))),
    "flatten": (IMAGE, layers.Flatten),
    "reshape": (IMAGE, lambda: layers.Reshape((-1, 12))),
    "permute": (IMAGE, lambda: layers.Permute((3, 1, 2))),
    "repeat": (ROW, lambda: layers.RepeatVector(3)),
    "relu": (IMAGE, lambda: layers.ReLU(max_value=1.0)),
    "leaky": (IMAGE, lambda: layers.LeakyReLU(0.3)),
    "prelu": (IMAGE, lambda: layers.PReLU(shared_axes=(1, 2))),
    "prelu, positions": (IMAGE, layers.PReLU),
    "elu": (IMAGE, lambda: layers.ELU(0.5)),
    "softmax": (IMAGE, layers.Softmax),
    "softmax, axis": (IMAGE, lambda: layers.Softmax(axis=1)),
    "rescaling": (IMAGE, lambda: layers.Rescaling(0.1, offset=2.0)),
    "lstm": (LINE, lambda: layers.LSTM(3, return_sequences=True)),
    "gru": (LINE, lambda: layers.GRU(3)),
    "rnn": (LINE, lambda: layers.SimpleRNN(3)),
    "dropout": (IMAGE, lambda: layers.Dropout(0.5)),
}
ACTIVATIONS = (
    "relu",
    "sigmoid",
    "tanh",
    "elu",
    "selu",
    "gelu",
    "swish",
    "mish",
    "softplus",
    "softsign",
    "hard_sigmoid",
    "hard_silu",
    "exponential",
    "leaky_relu",
    "softmax",
    "relu6",
)


@pytest.mark.parametrize("name", SINGLE)
def test_a_layer_alone(name):
    shape, make = SINGLE[name]
    agrees(keras.Sequential([keras.Input(shape), make()]))


@pytest.mark.parametrize(
    "name", ["conv2d same", "batch norm", "max pool", "softmax", "leaky", "flatten", "permute"]
)
def test_a_layer_between_convolutions(name):
    _, make = SINGLE[name]
    agrees(keras.Sequential([keras.Input((9, 8, 3)), layers.Conv2D(6, 1), make()]))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_by_name(name):
    agrees(
        keras.Sequential(
            [keras.Input((6, 6, 3)), layers.Conv2D(4, 3, activation=name), layers.Activation(name)]
        )
    )


def test_a_functional_model_with_branches_operations_and_a_shared_layer():
    x = keras.Input((8, 8, 3))
    shared = layers.Conv2D(4, 3, padding="same")
    y = layers.Conv2D(4, 1)(x)
    a = shared(y)
    b = shared(layers.ReLU()(a))
    y = layers.Concatenate()([layers.Add()([a, b]), layers.Multiply()([a, b]), layers.Average()([a, b])])
    gate = layers.Dense(12, activation="sigmoid")(layers.GlobalAveragePooling2D()(y))
    y = layers.Multiply()([y, layers.Reshape((1, 1, 12))(gate)])
    y = keras.ops.relu(y * 2.0 + 0.5) - keras.ops.mean(y, axis=(1, 2), keepdims=True)
    y = layers.Maximum()([y, layers.Conv2D(12, 1)(y)])[:, 1:, ::2]
    network = agrees(keras.Model(x, layers.Dense(3)(layers.Flatten()(y))))
    assert sum(isinstance(m, nn.Conv2d) for m in network.modules()) == 3  # the shared one once


def test_models_inside_models_and_several_inputs():
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(4, activation="tanh"), layers.Dense(3)])
    a, b = keras.Input((5,)), keras.Input((5,))
    agrees(keras.Model([a, b], layers.Subtract()([inner(a), inner(b)])))


def test_a_transformer_block():
    x = keras.Input((6, 8))
    y = layers.LayerNormalization()(x)
    x2 = layers.Add()([x, layers.MultiHeadAttention(2, 4)(y, y)])
    y = layers.Dense(8)(layers.Dense(16, activation="gelu")(layers.LayerNormalization()(x2)))
    agrees(keras.Model(x, layers.Add()([x2, y])))


def test_unknown_layers_are_named():
    class Odd(layers.Layer):
        def call(self, x):
            return x

    model = keras.Sequential([keras.Input((3,)), Odd(name="odd")])
    with pytest.raises(CaptureError, match="'odd'"):
        pi.from_keras(model)
    with pytest.raises(CaptureError, match="load_model"):
        pi.from_keras("model.keras")


def test_a_subclassed_model_is_called_as_it_is():
    class Sub(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = layers.Dense(4, activation="sigmoid"), layers.Dense(4)

        def call(self, x):
            return self.second(self.first(x))

    model = Sub()
    x = torch.randn(3, 4)
    wanted = model(x)
    network = pi.from_keras(model)
    torch.testing.assert_close(network(x), wanted)
    found = pi.invert(network, x[:1])(wanted.detach())
    torch.testing.assert_close(network(found), wanted, atol=1e-4, rtol=1e-4)


@pytest.fixture(scope="module")
def digits():
    datasets = pytest.importorskip("sklearn.datasets")
    data = datasets.load_digits()
    return (data.images / 16).astype(np.float32)[..., None], data.target


@pytest.fixture(scope="module")
def trained(digits):
    """A small network that reads digits, trained for a few seconds."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, strides=2, padding="same"),
            layers.BatchNormalization(momentum=0.8),
            layers.LeakyReLU(0.2),
            layers.Conv2D(16, 3, padding="same", activation="swish"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    model.fit(digits[0][:1000], digits[1][:1000], epochs=6, batch_size=32, verbose=0)
    assert model.evaluate(digits[0][1000:], digits[1][1000:], verbose=0)[1] > 0.6
    return model


class Twin(nn.Module):
    """The same network written in PyTorch by hand, reading ``(N, H, W, C)``."""

    def __init__(self, model):
        super().__init__()
        conv, norm, _, second, _, dense = model.layers

        def t(w):
            return torch.from_numpy(np.array(keras.ops.convert_to_numpy(w)))

        self.first = nn.Conv2d(1, 8, 3, stride=2)
        self.norm = nn.BatchNorm2d(8, eps=norm.epsilon)
        self.second = nn.Conv2d(8, 16, 3, padding=1)
        self.last = nn.Linear(16, 10)
        state = {
            "first.weight": t(conv.kernel).permute(3, 2, 0, 1),
            "first.bias": t(conv.bias),
            "norm.weight": t(norm.gamma),
            "norm.bias": t(norm.beta),
            "norm.running_mean": t(norm.moving_mean),
            "norm.running_var": t(norm.moving_variance),
            "norm.num_batches_tracked": torch.tensor(0),
            "second.weight": t(second.kernel).permute(3, 2, 0, 1),
            "second.bias": t(second.bias),
            "last.weight": t(dense.kernel).T,
            "last.bias": t(dense.bias),
        }
        self.load_state_dict(state)

    def forward(self, x):
        x = nn.functional.pad(x.permute(0, 3, 1, 2), (0, 1, 0, 1))
        x = nn.functional.leaky_relu(self.norm(self.first(x)), 0.2)
        return self.last(nn.functional.silu(self.second(x)).mean((2, 3)))


def test_the_same_inverse_as_in_pytorch_and_onnx(trained, digits, export, tmp_path):
    x = torch.from_numpy(digits[0][1500:1504]).double()
    keras_net, twin = pi.from_keras(trained).double(), Twin(trained).double().eval()
    onnx_net = pi.from_onnx(export(twin, x[:1], tmp_path / "twin.onnx"))
    y = twin(x).detach()
    torch.testing.assert_close(keras_net(x), y, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(onnx_net(x), y, atol=1e-6, rtol=1e-6)
    wanted = pi.invert(twin, x[:1]).data_free(y)[0]
    for network in (keras_net, onnx_net):
        found = pi.invert(network, x[:1]).data_free(y)[0]
        assert ((found - wanted).norm() / wanted.norm()).item() < 1e-5
