import MartletModel

extension Message {
    /// Reads the body of a frame of `type`.
    ///
    /// Allocates no more than a small multiple of `body.count`, whatever the bytes say.
    /// - Throws: `.protocolViolation`, or `.invalidUTF8` for text columns that are not.
    package init(_ type: FrameType, body: UnsafeRawBufferPointer) throws(MartletError) {
        var reader = WireReader(body)
        switch type {
        case .hello: self = .hello(try Greeting(&reader))
        case .welcome: self = .welcome(try Greeting(&reader))
        case .authenticate:
            let method = try reader.string("method")
            let length = Int(try reader.integer(UInt32.self, "payload length"))
            self = .authenticate(method: method, payload: Array(try reader.take(length, "payload")))
        case .authenticated: self = .authenticated
        case .ping: self = .ping(Array(try Self.echo(&reader)))
        case .pong: self = .pong(Array(try Self.echo(&reader)))
        case .append: self = .append(try AppendRequest(&reader))
        case .appended: self = .appended(try WireReceipt(&reader))
        case .query: self = .query(try QueryRequest(&reader))
        case .schema:
            let batch = try BatchDecoder.read(&reader)
            guard batch.rowCount == 0 else { throw MartletError(.protocolViolation, "a schema frame holds rows") }
            self = .schema(batch)
        case .rows: self = .rows(try BatchDecoder.read(&reader))
        case .end: self = .end(try WireSummary(&reader))
        case .credit: self = .credit(try reader.integer(UInt32.self, "credit"))
        case .cancel: self = .cancel
        case .error: self = .error(try MartletError(&reader))
        }
        try reader.finish("content")
    }

    private static func echo(_ reader: inout WireReader) throws(MartletError) -> UnsafeRawBufferPointer {
        guard reader.remaining <= 64 else {
            throw MartletError(.protocolViolation, "a ping carries \(reader.remaining) bytes; at most 64 are echoed")
        }
        return try reader.take(reader.remaining, "echo")
    }
}

extension Greeting {
    fileprivate init(_ reader: inout WireReader) throws(MartletError) {
        guard try reader.take(8, "magic").elementsEqual(WireProtocol.magic) else {
            throw MartletError(.protocolViolation, "the greeting is not Martlet's")
        }
        oldestVersion = try reader.integer(UInt16.self, "version")
        newestVersion = try reader.integer(UInt16.self, "version")
        features = WireFeatures(rawValue: try reader.integer(UInt32.self, "features"))
        maximumBody = try reader.integer(UInt32.self, "largest body")
        maximumRequests = try reader.integer(UInt32.self, "open requests")
        software = try reader.string("software")
        guard maximumBody >= WireProtocol.smallestMaximumBody else {
            throw MartletError(
                .protocolViolation,
                "the peer accepts bodies of \(maximumBody) bytes; at least \(WireProtocol.smallestMaximumBody) are needed"
            )
        }
    }
}

extension AppendRequest {
    fileprivate init(_ reader: inout WireReader) throws(MartletError) {
        let asked = try reader.integer(UInt8.self, "durability")
        guard let durability = WireDurability(rawValue: asked) else {
            throw MartletError(.protocolViolation, "unknown durability \(asked)")
        }
        _ = try reader.take(3, "append header")
        let count = Int(try reader.integer(UInt32.self, "batch count"))
        self.durability = durability
        namespace = try reader.string("namespace")
        batches = []
        for _ in 0..<count {
            let table = try reader.string("table name")
            try reader.align("table name")
            batches.append(TableBatch(table: table, batch: try BatchDecoder.read(&reader)))
        }
    }
}

extension WireReceipt {
    fileprivate init(_ reader: inout WireReader) throws(MartletError) {
        accepted = try reader.integer(UInt64.self, "accepted rows")
        rejected = try reader.integer(UInt64.self, "rejected rows")
        commit = try reader.integer(UInt64.self, "commit")
        isDurable = try reader.integer(UInt8.self, "durable flag") != 0
        _ = try reader.take(3, "acknowledgement")
        let count = Int(try reader.integer(UInt32.self, "rejection count"))
        rejections = []
        for _ in 0..<count {
            let batch = Int(try reader.integer(UInt32.self, "rejected batch"))
            let row = Int(try reader.integer(UInt32.self, "rejected row"))
            rejections.append(WireRejection(batch: batch, row: row, error: try MartletError(&reader)))
        }
    }
}

extension QueryRequest {
    fileprivate init(_ reader: inout WireReader) throws(MartletError) {
        timeout = try reader.integer(UInt64.self, "time limit")
        memoryLimit = try reader.integer(UInt64.self, "memory limit")
        maximumRows = try reader.integer(UInt64.self, "row limit")
        credit = try reader.integer(UInt32.self, "credit")
        namespace = try reader.string("namespace")
        sql = try reader.string("statement")
    }
}

extension WireSummary {
    fileprivate init(_ reader: inout WireReader) throws(MartletError) {
        rows = try reader.integer(UInt64.self, "row count")
        elapsed = try reader.integer(UInt64.self, "elapsed time")
        let count = Int(try reader.integer(UInt32.self, "notice count"))
        notices = []
        for _ in 0..<count { notices.append(try reader.string("notice")) }
    }
}

extension MartletError {
    fileprivate init(_ reader: inout WireReader) throws(MartletError) {
        let number = try reader.integer(UInt16.self, "error code")
        let kind = try reader.integer(UInt8.self, "location kind")
        let flags = try reader.integer(UInt8.self, "error flags")
        let first = try reader.integer(Int64.self, "location")
        let second = try reader.integer(Int64.self, "location")
        let third = try reader.integer(Int64.self, "location")
        let message = try reader.string("message")
        let hint = try reader.string("hint")
        let text = try reader.string("location")
        let text2 = try reader.string("location")
        let location: Location? =
            switch kind {
            case 1: .input(line: Int(first), column: Int(second))
            case 2: .statement(offset: Int(first), line: Int(second), column: Int(third))
            case 3: .file(path: text, offset: first < 0 ? nil : first)
            case 4: .column(table: text, column: flags & 2 != 0 ? text2 : nil)
            default: nil
            }
        // A code from a newer peer still is an error; its number is kept in the message.
        let code = Code(rawValue: number)
        self.init(
            code ?? .internal, code == nil ? "error \(number): \(message)" : message, at: location,
            hint: flags & 1 != 0 ? hint : nil)
    }
}
