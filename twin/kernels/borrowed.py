"""Many arrays passed to compiled functions by one address.

Numba passes every array as some ten words, and a named tuple as those of all its arrays. `borrow` puts a named tuple on
the stack of its caller once; functions it calls get the address, and `w.name` reads the field `name` there. So a kernel
may consist of small functions that are called, not copied. An address is good until the function that borrowed returns.
"""

from __future__ import annotations

from typing import Any

from numba.core import cgutils, types
from numba.core.datamodel import models, register_default
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, lower_getattr_generic


class Borrowed(types.Type):
    """Address of a named tuple of arrays and numbers; its fields can be read."""

    def __init__(self, fields: Any) -> None:
        self.fields = fields
        super().__init__(name=f"Borrowed({fields})")


@register_default(Borrowed)
class _Model(models.PrimitiveModel):
    """A plain pointer to the named tuple."""

    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, dmm.lookup(fe_type.fields).get_value_type().as_pointer())


@infer_getattr
class _Fields(AttributeTemplate):
    key = Borrowed

    def generic_resolve(self, borrowed: Any, name: str) -> Any:
        names = borrowed.fields.fields
        return borrowed.fields.types[names.index(name)] if name in names else None


@lower_getattr_generic(Borrowed)
def _load(_context: Any, builder: Any, borrowed: Any, address: Any, name: str) -> Any:
    place = cgutils.gep_inbounds(builder, address, 0, borrowed.fields.fields.index(name))
    return builder.load(place)


@intrinsic
def borrow(_typing_context: Any, fields: Any) -> Any:
    """Address of a named tuple, for functions that the caller calls."""

    def store(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return cgutils.alloca_once_value(builder, arguments[0])

    return Borrowed(fields)(fields), store
