"""What Numba does not offer to large kernels: arrays without reference counts, prefetching, the length of a number.

Numba counts references of every array at every call that LLVM does not inline, with two atomic instructions each;
with a dozen arrays and millions of calls this was a third of the order path's time. A borrowed array has no counter.
It is valid while the caller holds the array, which Python does for the whole call of a kernel.
"""

from __future__ import annotations

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array


@intrinsic
def borrow(typing_context, array):  # noqa: ARG001 - the signature that Numba asks for
    """The same array without its reference counter; use it only inside the kernel that was given the array."""

    def codegen(context, builder, signature, arguments):
        source = make_array(signature.args[0])(context, builder, arguments[0])
        out = make_array(signature.return_type)(context, builder)
        for name in ("data", "nitems", "itemsize", "shape", "strides"):
            setattr(out, name, getattr(source, name))
        for name in ("meminfo", "parent"):
            setattr(out, name, cgutils.get_null_value(getattr(source, name).type))
        return out._getvalue()

    return array(array), codegen


@intrinsic
def prefetch(typing_context, array, row):  # noqa: ARG001 - the signature that Numba asks for
    """Ask the processor to fetch both ends of a row (int64 index) of an array; has no effect on any result."""

    def codegen(context, builder, signature, arguments):
        source = make_array(signature.args[0])(context, builder, arguments[0])
        size = source.itemsize
        byte = ir.IntType(8).as_pointer()
        start = builder.gep(builder.bitcast(source.data, byte), [builder.mul(arguments[1], size)])
        word = ir.IntType(32)
        fetch = builder.module.declare_intrinsic(
            "llvm.prefetch", [byte], ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        )
        for at in (start, builder.gep(start, [builder.sub(size, size.type(1))])):
            builder.call(fetch, [at, word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.none(array, types.int64), codegen


@intrinsic
def bit_length(typing_context, value):  # noqa: ARG001 - the signature that Numba asks for
    """Number of bits of a positive int64."""

    def codegen(context, builder, signature, arguments):  # noqa: ARG001 - as above
        (number,) = arguments
        return builder.sub(number.type(64), builder.ctlz(number, ir.IntType(1)(1)))

    return types.int64(types.int64), codegen


@intrinsic
def prefetch_line(typing_context, array, index):  # noqa: ARG001 - as above
    """Ask the processor for the cache line of one element (int64 index), which is about to be written."""

    def codegen(context, builder, signature, arguments):
        source = make_array(signature.args[0])(context, builder, arguments[0])
        byte = ir.IntType(8).as_pointer()
        at = builder.gep(builder.bitcast(source.data, byte), [builder.mul(arguments[1], source.itemsize)])
        word = ir.IntType(32)
        fetch = builder.module.declare_intrinsic(
            "llvm.prefetch", [byte], ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        )
        builder.call(fetch, [at, word(1), word(3), word(1)])
        return context.get_dummy_value()

    return types.none(array, types.int64), codegen


@intrinsic
def trailing_zeros(typing_context, value):  # noqa: ARG001 - as above
    """Position of the lowest set bit of a uint64 that is not 0, as int64."""

    def codegen(context, builder, signature, arguments):  # noqa: ARG001 - as above
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.int64(types.uint64), codegen
