import MartletModel

/// The stored form of a bitmap, described in format-spec/series-index.md, section "Bitmap".
extension SeriesBitmap {
    private enum Kind {
        static let array: UInt16 = 1
        static let bitmap: UInt16 = 2
        static let runs: UInt16 = 3
    }

    /// Appends the stored form to `buffer`.
    package func serialize(into buffer: inout MutableBuffer) {
        buffer.append(UInt32(keys.count))
        for (key, container) in zip(keys, containers) {
            buffer.append(key)
            switch container {
            case .array(let lows):
                buffer.append(Kind.array)
                buffer.append(UInt16(lows.count - 1))
            case .bitmap(_, let count):
                buffer.append(Kind.bitmap)
                buffer.append(UInt16(count - 1))
            case .runs(let runs):
                buffer.append(Kind.runs)
                buffer.append(UInt16(runs.count - 1))
            }
        }
        for container in containers {
            switch container {
            case .array(let lows): lows.withUnsafeBytes { buffer.append($0) }
            case .bitmap(let words, _): words.withUnsafeBytes { buffer.append($0) }
            case .runs(let runs): runs.withUnsafeBytes { buffer.append($0) }
            }
        }
    }

    /// Reads a stored bitmap from the front of `bytes`.
    ///
    /// - Returns: the set and the number of bytes that it took.
    /// - Throws: `.corrupt` when the bytes are not of the stored form.
    package static func deserialize(
        _ bytes: UnsafeRawBufferPointer
    ) throws(MartletError) -> (bitmap: SeriesBitmap, byteCount: Int) {
        guard bytes.count >= 4 else { throw damaged("is cut off in its header") }
        let containerCount = Int(bytes.loadUnaligned(as: UInt32.self))
        guard containerCount <= 65_536, bytes.count >= 4 + containerCount * 6 else {
            throw damaged("names \(containerCount) containers and has no room for them")
        }
        var keys: [UInt16] = []
        var containers: [BitmapContainer] = []
        keys.reserveCapacity(containerCount)
        containers.reserveCapacity(containerCount)
        var offset = 4 + containerCount * 6
        for index in 0..<containerCount {
            let descriptor = 4 + index * 6
            let key = bytes.loadUnaligned(fromByteOffset: descriptor, as: UInt16.self)
            let kind = bytes.loadUnaligned(fromByteOffset: descriptor + 2, as: UInt16.self)
            let count = Int(bytes.loadUnaligned(fromByteOffset: descriptor + 4, as: UInt16.self)) + 1
            if let last = keys.last, last >= key { throw damaged("has keys that do not ascend") }
            let size: Int
            switch kind {
            case Kind.array: size = count * 2
            case Kind.bitmap: size = BitmapContainer.wordCount * 8
            case Kind.runs: size = count * 4
            default: throw damaged("has a container of unknown kind \(kind)")
            }
            guard bytes.count - offset >= size else { throw damaged("is cut off in a container") }
            let payload = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + size])
            keys.append(key)
            containers.append(try container(kind, count, payload))
            offset += size
        }
        return (SeriesBitmap(keys: keys, containers: containers), offset)
    }

    private static func container(
        _ kind: UInt16, _ count: Int, _ payload: UnsafeRawBufferPointer
    ) throws(MartletError) -> BitmapContainer {
        switch kind {
        case Kind.array:
            guard count <= BitmapContainer.arrayLimit else { throw damaged("has an array of \(count) values") }
            let lows = [UInt16](unsafeUninitializedCapacity: count) { target, filled in
                UnsafeMutableRawBufferPointer(target).copyMemory(from: payload)
                filled = count
            }
            for index in 1..<Swift.max(count, 1) where lows[index - 1] >= lows[index] {
                throw damaged("has an array that does not ascend")
            }
            return .array(lows)
        case Kind.bitmap:
            let words = [UInt64](unsafeUninitializedCapacity: BitmapContainer.wordCount) { target, filled in
                UnsafeMutableRawBufferPointer(target).copyMemory(from: payload)
                filled = BitmapContainer.wordCount
            }
            guard words.reduce(0, { $0 + $1.nonzeroBitCount }) == count else {
                throw damaged("has a container whose bits do not add up to \(count)")
            }
            return .bitmap(words, count: count)
        default:
            let runs = [ContainerRun](unsafeUninitializedCapacity: count) { target, filled in
                UnsafeMutableRawBufferPointer(target).copyMemory(from: payload)
                filled = count
            }
            var next = 0
            for run in runs {
                guard run.first <= run.last, Int(run.first) >= next else { throw damaged("has runs out of order") }
                next = Int(run.last) + 2
            }
            return .runs(runs)
        }
    }

    private static func damaged(_ what: String) -> MartletError {
        MartletError(.corrupt, "a stored set of series \(what)")
    }
}
