"""A nest done again without its instructions: where all that it leaves are stores of deferred
values, made of loads, products of loads, constants and registers from before, only bytes differ
from run to run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dojocc.runtime.engines.lazy import Product

if TYPE_CHECKING:
    from dojocc.runtime.engines.chunks import Store
    from dojocc.runtime.engines.lift import Nest


@dataclass(eq=False)
class Repeat:
    """What to do again: `products` anew, then `stores` in order. `able`: that is all there is."""

    products: list[Product] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)
    able: bool = True

    def of(self, product: Product) -> Product:
        """Remember a product."""
        self.products.append(product)
        if product.a.again is None or product.b.again is None:
            self.able = False
        return product

    def run(self, nest: Nest) -> None:
        """Do it again, in place of the nest's instructions."""
        for start, stop in nest.proof.spans:
            nest.memory.exclusive(start, stop)
        for product in self.products:
            assert product.a.again is not None and product.b.again is not None
            product.a, product.b = product.a.again(nest), product.b.again(nest)
        for store in self.stores:
            store.carry_out(nest)
