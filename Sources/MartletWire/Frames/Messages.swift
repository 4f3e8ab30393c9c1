import MartletModel

/// What a peer says first, each way.
package struct Greeting: Sendable, Hashable {
    /// The oldest version the client speaks; in a welcome, the version that both will speak.
    package var oldestVersion: UInt16
    /// The newest version the client speaks; in a welcome, the same again.
    package var newestVersion: UInt16
    /// Offered features; in a welcome, those that both have.
    package var features: WireFeatures
    /// The largest body that the sender accepts, in bytes.
    package var maximumBody: UInt32
    /// Requests that a client may have open at once; 0 in a hello.
    package var maximumRequests: UInt32
    /// Name and version of the sender's software.
    package var software: String

    package init(
        oldestVersion: UInt16 = WireProtocol.version, newestVersion: UInt16 = WireProtocol.version,
        features: WireFeatures, maximumBody: UInt32, maximumRequests: UInt32 = 0, software: String
    ) {
        self.oldestVersion = oldestVersion
        self.newestVersion = newestVersion
        self.features = features
        self.maximumBody = maximumBody
        self.maximumRequests = maximumRequests
        self.software = software
    }
}

/// How durable the rows of an append shall be before they are acknowledged.
public enum WireDurability: UInt8, Sendable, Hashable, CaseIterable {
    /// As the server is set.
    case serverDefault = 0
    /// On stable storage; a server that is set to less refuses the append.
    case durable = 1
}

/// Rows to append.
package struct AppendRequest: Sendable {
    package var namespace: String
    package var durability: WireDurability
    package var batches: [TableBatch]

    package init(namespace: String, durability: WireDurability, batches: [TableBatch]) {
        self.namespace = namespace
        self.durability = durability
        self.batches = batches
    }
}

/// A row that an append refused.
public struct WireRejection: Sendable, Hashable {
    /// Index of the table's batch in the append.
    public var batch: Int
    /// Row within it.
    public var row: Int
    /// The reason.
    public var error: MartletError

    /// A refused row.
    public init(batch: Int, row: Int, error: MartletError) {
        self.batch = batch
        self.row = row
        self.error = error
    }
}

/// What became of an append.
public struct WireReceipt: Sendable, Hashable {
    /// Rows accepted.
    public var accepted: UInt64
    /// Rows refused; the others were kept.
    public var rejected: UInt64
    /// The number of the commit in its namespace, ascending.
    public var commit: UInt64
    /// Whether the rows had reached stable storage when this was sent.
    public var isDurable: Bool
    /// The first refused rows with their reasons, at most 1,000.
    public var rejections: [WireRejection]

    /// What became of an append.
    public init(accepted: UInt64, rejected: UInt64, commit: UInt64, isDurable: Bool, rejections: [WireRejection]) {
        self.accepted = accepted
        self.rejected = rejected
        self.commit = commit
        self.isDurable = isDurable
        self.rejections = rejections
    }
}

/// A statement to run, and its limits.
package struct QueryRequest: Sendable, Hashable {
    package var namespace: String
    package var sql: String
    /// Milliseconds; 0 for the server's own limit.
    package var timeout: UInt64
    /// Bytes; 0 for the server's own limit.
    package var memoryLimit: UInt64
    /// Rows; 0 for the server's own limit.
    package var maximumRows: UInt64
    /// Rows frames that the server may send before it needs a credit frame.
    package var credit: UInt32

    package init(
        namespace: String, sql: String, timeout: UInt64 = 0, memoryLimit: UInt64 = 0, maximumRows: UInt64 = 0,
        credit: UInt32
    ) {
        self.namespace = namespace
        self.sql = sql
        self.timeout = timeout
        self.memoryLimit = memoryLimit
        self.maximumRows = maximumRows
        self.credit = credit
    }
}

/// The end of a query that went well.
public struct WireSummary: Sendable, Hashable {
    /// Rows sent.
    public var rows: UInt64
    /// Nanoseconds that the server spent between the request's arrival and this.
    public var elapsed: UInt64
    /// Remarks that are no errors.
    public var notices: [String]

    /// The end of a query that went well.
    public init(rows: UInt64, elapsed: UInt64, notices: [String]) {
        self.rows = rows
        self.elapsed = elapsed
        self.notices = notices
    }
}

/// The content of a frame.
package enum Message: Sendable {
    case hello(Greeting)
    case welcome(Greeting)
    /// Reserved: method and payload.
    case authenticate(method: String, payload: [UInt8])
    case authenticated
    case ping([UInt8])
    case pong([UInt8])
    case append(AppendRequest)
    case appended(WireReceipt)
    case query(QueryRequest)
    /// A batch of no rows.
    case schema(RecordBatch)
    case rows(RecordBatch)
    case end(WireSummary)
    case credit(UInt32)
    case cancel
    case error(MartletError)

    package var type: FrameType {
        switch self {
        case .hello: .hello
        case .welcome: .welcome
        case .authenticate: .authenticate
        case .authenticated: .authenticated
        case .ping: .ping
        case .pong: .pong
        case .append: .append
        case .appended: .appended
        case .query: .query
        case .schema: .schema
        case .rows: .rows
        case .end: .end
        case .credit: .credit
        case .cancel: .cancel
        case .error: .error
        }
    }
}
