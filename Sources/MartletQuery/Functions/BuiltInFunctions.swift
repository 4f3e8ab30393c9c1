import MartletModel

extension FunctionRegistry {
    /// The functions that every query knows. docs/sql-functions.md has the table.
    public static let builtIn: FunctionRegistry = {
        var registry = FunctionRegistry()
        registry.registerMath()
        registry.registerBits()
        registry.registerConditionals()
        registry.registerText()
        registry.registerPatterns()
        registry.registerTime()
        registry.registerAggregates()
        return registry
    }()
}
