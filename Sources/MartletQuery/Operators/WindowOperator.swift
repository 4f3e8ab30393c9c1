import MartletModel

/// Window functions.
final class WindowOperator: Operator {
    private let input: Operator
    private let windows: [BoundWindow]

    init(_ input: Operator, _ windows: [BoundWindow], _ columns: [ColumnDescription]) {
        self.input = input
        self.windows = windows
        super.init(columns: columns, context: input.context)
    }

    override func produce() throws(MartletError) -> Rows? {
        throw MartletError(.unsupported, "window functions are not ready")
    }

    override var inputs: [Operator] { [input] }
    override var title: String { "Window" }
}
