"""A contract for import-linter: `forbidden`, among those of the named modules that exist so far."""

from grimp import ImportGraph
from importlinter import ContractCheck
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.domain.imports import ModuleExpression


class ForbiddenAmongPresent(ForbiddenContract):
    """import-linter's own contract refuses a name that is not there yet; this one holds from the day that it is."""

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        self.source_modules = _present(self.source_modules, graph)
        self.forbidden_modules = _present(self.forbidden_modules, graph)
        return super().check(graph, verbose)


def _present(expressions: set[ModuleExpression], graph: ImportGraph) -> set[ModuleExpression]:
    """Names of other distributions and wildcards stay: for those, import-linter does not mind their absence."""
    return {
        each
        for each in expressions
        if each.has_wildcard_expression() or "." not in each.expression or each.expression in graph.modules
    }
