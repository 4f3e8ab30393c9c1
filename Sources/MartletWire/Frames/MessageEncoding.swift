import MartletModel

extension Message {
    /// Appends the body, which starts at a multiple of eight in `output`.
    ///
    /// - Throws: `.outOfRange` where a batch does not fit a frame.
    package func appendBody(to output: inout MutableBuffer) throws(MartletError) {
        switch self {
        case .hello(let greeting), .welcome(let greeting): greeting.append(to: &output)
        case .authenticate(let method, let payload):
            output.append(wireString: method)
            output.append(littleEndian: UInt32(payload.count))
            payload.withUnsafeBytes { output.append($0) }
        case .authenticated, .cancel: break
        case .ping(let payload), .pong(let payload): payload.withUnsafeBytes { output.append($0) }
        case .append(let request): try request.append(to: &output)
        case .appended(let receipt): receipt.append(to: &output)
        case .query(let request): request.append(to: &output)
        case .schema(let batch), .rows(let batch): try BatchEncoder.append(batch, to: &output)
        case .end(let summary): summary.append(to: &output)
        case .credit(let count): output.append(littleEndian: count)
        case .error(let error): error.append(to: &output)
        }
    }
}

extension Greeting {
    fileprivate func append(to output: inout MutableBuffer) {
        WireProtocol.magic.withUnsafeBytes { output.append($0) }
        output.append(littleEndian: oldestVersion)
        output.append(littleEndian: newestVersion)
        output.append(littleEndian: features.rawValue)
        output.append(littleEndian: maximumBody)
        output.append(littleEndian: maximumRequests)
        output.append(wireString: software)
    }
}

extension AppendRequest {
    fileprivate func append(to output: inout MutableBuffer) throws(MartletError) {
        let start = output.byteCount
        output.append(durability.rawValue)
        output.appendZeros(3)
        output.append(littleEndian: UInt32(batches.count))
        output.append(wireString: namespace)
        for batch in batches {
            output.append(wireString: batch.table)
            output.align(from: start)
            try BatchEncoder.append(batch.batch, to: &output)
        }
    }
}

extension WireReceipt {
    fileprivate func append(to output: inout MutableBuffer) {
        output.append(littleEndian: accepted)
        output.append(littleEndian: rejected)
        output.append(littleEndian: commit)
        output.append(UInt8(isDurable ? 1 : 0))
        output.appendZeros(3)
        let listed = rejections.prefix(WireProtocol.maximumListedRejections)
        output.append(littleEndian: UInt32(listed.count))
        for rejection in listed {
            output.append(littleEndian: UInt32(rejection.batch))
            output.append(littleEndian: UInt32(rejection.row))
            rejection.error.append(to: &output)
        }
    }
}

extension QueryRequest {
    fileprivate func append(to output: inout MutableBuffer) {
        output.append(littleEndian: timeout)
        output.append(littleEndian: memoryLimit)
        output.append(littleEndian: maximumRows)
        output.append(littleEndian: credit)
        output.append(wireString: namespace)
        output.append(wireString: sql)
    }
}

extension WireSummary {
    fileprivate func append(to output: inout MutableBuffer) {
        output.append(littleEndian: rows)
        output.append(littleEndian: elapsed)
        output.append(littleEndian: UInt32(notices.count))
        for notice in notices { output.append(wireString: notice) }
    }
}

extension MartletError {
    fileprivate func append(to output: inout MutableBuffer) {
        output.append(littleEndian: code.rawValue)
        let numbers: (Int64, Int64, Int64)
        let texts: (String?, String?)
        let kind: UInt8
        switch location {
        case nil: (kind, numbers, texts) = (0, (0, 0, 0), (nil, nil))
        case .input(let line, let column): (kind, numbers, texts) = (1, (Int64(line), Int64(column), 0), (nil, nil))
        case .statement(let offset, let line, let column):
            (kind, numbers, texts) = (2, (Int64(offset), Int64(line), Int64(column)), (nil, nil))
        case .file(let path, let offset):
            (kind, numbers, texts) = (3, (offset ?? -1, 0, 0), (path, nil))
        case .column(let table, let column): (kind, numbers, texts) = (4, (0, 0, 0), (table, column))
        }
        output.append(kind)
        output.append(UInt8((hint != nil ? 1 : 0) | (texts.1 != nil ? 2 : 0)))
        output.append(littleEndian: numbers.0)
        output.append(littleEndian: numbers.1)
        output.append(littleEndian: numbers.2)
        output.append(wireString: message)
        output.append(wireString: hint ?? "")
        output.append(wireString: texts.0 ?? "")
        output.append(wireString: texts.1 ?? "")
    }
}
