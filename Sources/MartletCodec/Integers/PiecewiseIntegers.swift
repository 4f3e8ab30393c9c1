import MartletModel

/// Straight pieces and what is left over: `x = start + step * k + residual`.
///
/// Timestamps of a schedule lie on a grid with some jitter. Predicting them from the grid and not from the point before
/// keeps the jitter's own variance, where a difference doubles it and a difference of differences has six times. A
/// missed point or the next series begins a new piece. Without jitter the residuals are constant and cost nothing.
///
/// Layout: the number of pieces; the first start; sections of lengths, of gaps (a further piece's start less where the
/// one before would have gone on) and of steps; the stream of residuals.
enum PiecewiseIntegers {
    private struct Piece {
        var start: Int64
        var step: Int64
        var first: Int
    }

    /// Appends the encoding, or returns `false` when the values are not mostly straight.
    static func encode(
        _ values: UnsafePointer<Int64>, count: Int, effort: Effort, into output: inout MutableBuffer
    ) throws(MartletError) -> Bool {
        guard count >= 8, let pieces = split(values, count) else { return false }
        let residuals = Scratch<Int64>(count: count)
        let lengths = Scratch<Int64>(count: pieces.count)
        let gaps = Scratch<Int64>(count: pieces.count)
        let steps = Scratch<Int64>(count: pieces.count)
        var expected: Int64 = 0
        for (place, piece) in pieces.enumerated() {
            let end = place + 1 < pieces.count ? pieces[place + 1].first : count
            var predicted = piece.start
            for index in piece.first..<end {
                residuals.pointer[index] = values[index] &- predicted
                predicted = predicted &+ piece.step
            }
            lengths.pointer[place] = Int64(end - piece.first)
            gaps.pointer[place] = piece.start &- expected
            steps.pointer[place] = piece.step
            expected = predicted
        }
        output.append(varint: UInt64(pieces.count))
        output.append(signedVarint: gaps.pointer[0])
        let lists = [
            (lengths.pointer, pieces.count), (gaps.pointer + 1, pieces.count - 1), (steps.pointer, pieces.count),
        ]
        for (list, count) in lists {
            var section = MutableBuffer(capacity: 64)
            try IntegerStream.encode(list, count: count, effort: effort, trying: .entropy, into: &section)
            output.append(stream: section)
        }
        try IntegerStream.encode(
            residuals.pointer, count: count, effort: effort, trying: [.runs, .dictionary, .entropy], into: &output)
        return true
    }

    /// Differences above this are never steps, so that no arithmetic on steps overflows.
    private static let farthest: UInt64 = 1 << 60

    /// Whether most of a sample of differences are about one step.
    private static func looksStraight(_ values: UnsafePointer<Int64>, _ count: Int, _ step: Int64) -> Bool {
        let taken = min(64, count - 1)
        var close = 0
        for sample in 0..<taken {
            let index = 1 + sample * (count - 1) / taken
            let difference = values[index].subtractingReportingOverflow(values[index - 1])
            let off = difference.partialValue.subtractingReportingOverflow(step)
            if !difference.overflow && !off.overflow && off.partialValue.magnitude <= step.magnitude / 2 { close += 1 }
        }
        return close * 10 >= taken * 7
    }

    private static func split(_ values: UnsafePointer<Int64>, _ count: Int) -> [Piece]? {
        var pieces: [Piece] = []
        let limit = count / 24 + 4
        var step = localStep(values, 0, count)
        guard step != 0 && looksStraight(values, count, step) else { return nil }
        pieces.append(Piece(start: anchor(values, 0, count, step), step: step, first: 0))
        var predicted = pieces[0].start
        for index in 0..<count {
            let off = values[index].subtractingReportingOverflow(predicted)
            let bound = Int64(bitPattern: step.magnitude / 2)
            if index > 0 && (off.overflow || off.partialValue > bound || off.partialValue < -bound) {
                if pieces.count >= limit { return nil }
                // A gap of a few whole steps stays on the grid; anything else is a new series with a grid of its own.
                let near = !off.overflow && off.partialValue.magnitude < farthest
                let skipped = near ? (off.partialValue + (off.partialValue < 0 ? -bound : bound)) / step : 0
                if skipped > 0 && skipped < 1000 {
                    predicted = predicted &+ skipped &* step
                } else {
                    step = localStep(values, index, count)
                    guard step != 0 else { return nil }
                    predicted = anchor(values, index, count, step)
                }
                pieces.append(Piece(start: predicted, step: step, first: index))
            }
            predicted = predicted &+ step
        }
        return pieces
    }

    /// The median of up to 31 differences from `start` on; 0 when it is too large for a step.
    private static func localStep(_ values: UnsafePointer<Int64>, _ start: Int, _ count: Int) -> Int64 {
        var steps: [Int64] = []
        var index = start + 1
        while index < count && steps.count < 31 {
            let step = values[index].subtractingReportingOverflow(values[index - 1])
            if !step.overflow { steps.append(step.partialValue) }
            index += 1
        }
        steps.sort()
        guard !steps.isEmpty else { return 1 }
        let median = steps[steps.count / 2]
        guard median.magnitude < farthest else { return 0 }
        // A schedule's period is rounder than the jitter around it: take the mean's nearest multiple of a power of ten
        // where that explains the median.
        var unit: Int64 = 1
        while unit <= Int64.max / 10 && median.magnitude >= UInt64(unit) * 200 { unit *= 10 }
        let rounded = (median + (median < 0 ? -unit / 2 : unit / 2)) / unit * unit
        return (median - rounded).magnitude <= median.magnitude / 500 ? rounded : median
    }

    /// Where a grid of `step` through the values from `start` on begins: the median of what 31 of them suggest.
    private static func anchor(_ values: UnsafePointer<Int64>, _ start: Int, _ count: Int, _ step: Int64) -> Int64 {
        var offsets: [Int64] = []
        var index = start
        while index < count && offsets.count < 31 {
            offsets.append(values[index] &- values[start] &- Int64(index &- start) &* step)
            index += 1
        }
        let bound = Int64(bitPattern: step.magnitude / 4)
        offsets = offsets.filter { $0 >= -bound && $0 <= bound }.sorted()
        return offsets.isEmpty ? values[start] : values[start] &+ offsets[offsets.count / 2]
    }

    struct Decoder {
        private let lengths: [Int64]
        private let starts: [Int64]
        private let steps: [Int64]
        let residuals: IntegerDecoder

        init(_ reader: inout ByteReader, count: Int, depth: Int) throws(MartletError) {
            let pieces = try reader.count(upTo: count, "the number of pieces")
            guard pieces > 0 else { throw corrupt("no pieces") }
            var starts = [try reader.signedVarint()]
            lengths = try IntegerStream.array(try reader.stream(), count: pieces, depth: depth + 1)
            try IntegerStream.checkLengths(lengths, sum: count)
            starts += try IntegerStream.array(try reader.stream(), count: pieces - 1, depth: depth + 1)
            steps = try IntegerStream.array(try reader.stream(), count: pieces, depth: depth + 1)
            var expected: Int64 = 0
            for piece in 0..<pieces {
                starts[piece] = starts[piece] &+ expected
                expected = starts[piece] &+ steps[piece] &* lengths[piece]
            }
            self.starts = starts
            residuals = try IntegerDecoder(reader.rest, count: count, depth: depth + 1)
        }

        func decode(_ range: Range<Int>, into output: UnsafeMutablePointer<Int64>) throws(MartletError) {
            try residuals.decode(range, into: output)
            var position = 0
            for piece in 0..<lengths.count {
                let end = position + Int(lengths[piece])
                let from = max(position, range.lowerBound)
                let to = min(end, range.upperBound)
                if from < to {
                    let step = steps[piece]
                    var predicted = starts[piece] &+ Int64(from - position) &* step
                    let target = output + (from - range.lowerBound)
                    for index in 0..<(to - from) {
                        target[index] = target[index] &+ predicted
                        predicted = predicted &+ step
                    }
                }
                position = end
                if position >= range.upperBound { return }
            }
        }
    }
}
