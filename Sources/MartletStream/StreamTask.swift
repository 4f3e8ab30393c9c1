import MartletModel
import MartletQuery
import MartletStorage

/// A moment at which a task may work.
package struct StreamMoment {
    /// The namespace as it is.
    package var snapshot: any ReadSnapshot
    /// Nanoseconds since 1970, by the engine's clock.
    package var now: Int64
}

/// What a task says when it has worked.
package struct StreamStep {
    /// Whether there is more to do at once.
    package var hasMore = false
    /// When it wants to work again even if nothing is committed, in nanoseconds since 1970.
    package var due: Int64?

    package init(hasMore: Bool = false, due: Int64? = nil) {
        self.hasMore = hasMore
        self.due = due
    }
}

/// How a task fares, for SHOW.
package struct StreamFigures: Sendable {
    /// Rows read and written since the process began.
    package var rowsIn = 0
    package var rowsOut = 0
    /// Time spent.
    package var nanoseconds: Int64 = 0
    /// Series or groups that it keeps state of, and the bytes of it.
    package var series = 0
    package var stateBytes = 0
    /// Nanoseconds by which what it has worked off lies behind what is committed.
    package var lag: Int64 = 0
    /// The last thing that went wrong; nil once it works again.
    package var error: MartletError?
    /// What a person should know.
    package var remark: String?

    package init() {}
}

/// What works by itself as rows are committed: a continuous query, a detector, an alert.
///
/// A task reads storage, never the committing threads' memory: it can fall behind without holding anybody up and
/// without losing anything. What it writes it writes together with its position, in one commit, so that after a crash it
/// goes on from there; what it writes twice has the same key twice, and so exists once.
///
/// Not thread-safe: `NamespaceStreams` runs one task of a namespace at a time.
package protocol StreamTask: AnyObject {
    /// Does a bounded part of what there is to do.
    func step(_ moment: StreamMoment) throws(MartletError) -> StreamStep
    /// Makes what it writes into; called once, before a new task's definition is written.
    func prepare() throws(MartletError)
    /// A statement erased rows of a table.
    func noteErasure(of table: String, _ erasure: ErasureNotes.Erasure)
    /// What a new task wants written together with its definition.
    var initialRows: [Row] { get }
    /// Writes down what would cost time to work out again. Called when the database closes.
    func checkpoint() throws(MartletError)
    /// How it fares.
    var figures: StreamFigures { get }
    /// The columns of the rows that subscribers get.
    var outputColumns: [ColumnDescription] { get }
    /// Carries out a statement that concerns this task alone: TRAIN, ACKNOWLEDGE, SHOW MODELS.
    func run(_ statement: StreamStatement) throws(MartletError) -> StreamAnswer?
}

extension StreamTask {
    package func prepare() throws(MartletError) {}
    package func noteErasure(of table: String, _ erasure: ErasureNotes.Erasure) {}
    package var initialRows: [Row] { [] }
    package func checkpoint() throws(MartletError) {}
    package func run(_ statement: StreamStatement) throws(MartletError) -> StreamAnswer? { nil }
}

/// Makes the tasks of streams: most kinds live on higher floors.
package protocol StreamTaskFactory: Sendable {
    /// A task that goes on where its stored state ends.
    ///
    /// - Throws: `.semantic`, `.notFound`, `.invalidArgument` for a definition that cannot work.
    func task(_ definition: StreamDefinition, _ host: StreamContext) throws(MartletError) -> any StreamTask
}
