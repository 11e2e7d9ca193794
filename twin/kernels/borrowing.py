"""Arrays without reference counts for the inner loops of large kernels.

Numba counts references of every array at every call that LLVM does not inline, with two atomic instructions each;
with a dozen arrays and millions of calls this was a third of the order path's time. A borrowed array has no counter.
It is valid while the caller holds the array, which Python does for the whole call of a kernel.
"""

from __future__ import annotations

from numba.core import cgutils
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
