import MartletModel

/// An autoencoder of two LSTM layers: one reads a window of rows, the other writes it again, last row first, from the
/// state in which the first ended and nothing else (Hochreiter and Schmidhuber, Neural Computation 9, 1997, with the
/// forget gates of Gers et al., 2000; Malhotra et al., EncDec-AD, 2016; Srivastava et al., ICML 2015, for the decoder
/// that is given no input).
///
/// Unsafe, since every row of a series runs through these loops. Invariants: each pointer belongs to this object, is
/// allocated in `init` for as many numbers as its comment says, initialized there and freed in `deinit`; all indices are
/// computed from `dimensions`, `units` and `window`, which never change. Not thread-safe.
///
/// Weights of a layer are stored by input, `4 * units` numbers each: those of the row's values, of the hidden state, and
/// the bias; among the 4 * units the input, forget, candidate and output gates follow each other.
final class LSTMNetwork {
    let dimensions: Int
    let units: Int
    let window: Int
    /// Numbers that are learnt: encoder, decoder, and the output's `units + 1` times `dimensions`.
    let parameterCount: Int
    let parameters: UnsafeMutablePointer<Float>
    /// The window as it was written again, oldest row first: `window * dimensions`.
    let output: UnsafeMutablePointer<Float>
    /// For each of 2 * window steps: 4 * units activated gates, then cell state, its tanh and hidden state, of `units`
    /// each. Step 0 is the state before the first row, all 0.
    private let steps: UnsafeMutablePointer<Float>
    /// What flows back: of the hidden state, of the cell state (`units` each), of the gates (4 * units).
    private let flow: UnsafeMutablePointer<Float>

    private var gates: Int { 4 * units }
    private var encoder: Int { 0 }
    private var decoder: Int { (dimensions + units + 1) * gates }
    private var readout: Int { decoder + (units + 1) * gates }
    private var stepCount: Int { 2 * window }

    init(dimensions: Int, units: Int, window: Int) {
        self.dimensions = dimensions
        self.units = units
        self.window = window
        parameterCount = (dimensions + 2 * units + 2) * 4 * units + (units + 1) * dimensions
        func zeros(_ count: Int) -> UnsafeMutablePointer<Float> {
            let pointer = UnsafeMutablePointer<Float>.allocate(capacity: count)
            pointer.initialize(repeating: 0, count: count)
            return pointer
        }
        parameters = zeros(parameterCount)
        output = zeros(window * dimensions)
        steps = zeros(2 * window * 7 * units)
        flow = zeros(6 * units)
    }

    deinit {
        parameters.deallocate()
        output.deallocate()
        steps.deallocate()
        flow.deallocate()
    }

    var bytes: Int { 4 * (parameterCount + window * dimensions + 14 * window * units + 6 * units) }

    /// Draws the weights anew: evenly within 1 / sqrt(units), the biases of the forget gates 1 (Jozefowicz et al., ICML
    /// 2015).
    func draw(_ random: inout SplitMix) {
        let bound = 1 / Double(units).squareRoot()
        for index in 0..<parameterCount { parameters[index] = Float((2 * random.unit() - 1) * bound) }
        for bias in [encoder + (dimensions + units) * gates, decoder + units * gates] {
            for gate in 0..<gates { parameters[bias + gate] = gate / units == 1 ? 1 : 0 }
        }
    }

    // MARK: Forward

    /// Reads `window` rows, oldest first, and writes them again to `output`.
    func reconstruct(_ rows: UnsafePointer<Float>) {
        for step in 1...window {
            forward(step, parameters + encoder, rows + (step - 1) * dimensions, dimensions)
        }
        for step in window..<stepCount {
            if step > window { forward(step, parameters + decoder, rows, 0) }
            write(step)
        }
    }

    /// The row that the decoder writes in a step: the last one first.
    private func row(_ step: Int) -> Int { stepCount - 1 - step }

    private func write(_ step: Int) {
        let hidden = steps + step * 7 * units + 6 * units
        let target = output + row(step) * dimensions
        let weights = parameters + readout
        for dimension in 0..<dimensions {
            let weight = weights + dimension * (units + 1)
            var sum = weight[units]
            for unit in 0..<units { sum += weight[unit] * hidden[unit] }
            target[dimension] = sum
        }
    }

    private func forward(
        _ step: Int, _ weights: UnsafeMutablePointer<Float>, _ input: UnsafePointer<Float>, _ inputs: Int
    ) {
        let previous = steps + (step - 1) * 7 * units
        let gate = steps + step * 7 * units
        let (units, gates) = (units, gates)
        let bias = weights + (inputs + units) * gates
        for index in 0..<gates { gate[index] = bias[index] }
        for place in 0..<inputs { Self.accumulate(gate, weights + place * gates, input[place], gates) }
        for place in 0..<units {
            Self.accumulate(gate, weights + (inputs + place) * gates, previous[6 * units + place], gates)
        }
        for index in 0..<2 * units { gate[index] = Self.sigmoid(gate[index]) }
        for index in 2 * units..<3 * units { gate[index] = Self.tanh(gate[index]) }
        for index in 3 * units..<4 * units { gate[index] = Self.sigmoid(gate[index]) }
        for unit in 0..<units {
            let cell = gate[units + unit] * previous[4 * units + unit] + gate[unit] * gate[2 * units + unit]
            let squashed = Self.tanh(cell)
            gate[4 * units + unit] = cell
            gate[5 * units + unit] = squashed
            gate[6 * units + unit] = gate[3 * units + unit] * squashed
        }
    }

    @inline(__always)
    private static func accumulate(
        _ sum: UnsafeMutablePointer<Float>, _ weights: UnsafeMutablePointer<Float>, _ factor: Float, _ count: Int
    ) {
        for index in 0..<count { sum[index] += weights[index] * factor }
    }

    /// Lambert's continued fraction to the seventh term, within 0.0002 of tanh: no call in the loop.
    @inline(__always)
    static func tanh(_ value: Float) -> Float {
        let x = min(max(value, -4.97), 4.97)
        let square = x * x
        let numerator = x * (135_135 + square * (17_325 + square * (378 + square)))
        return numerator / (135_135 + square * (62_370 + square * (3_150 + square * 28)))
    }

    @inline(__always)
    private static func sigmoid(_ value: Float) -> Float { 0.5 + 0.5 * tanh(0.5 * value) }

    // MARK: Backward

    /// The mean squared error of `output` against `rows`.
    func loss(_ rows: UnsafePointer<Float>) -> Float {
        var sum: Float = 0
        for index in 0..<window * dimensions { sum += (output[index] - rows[index]) * (output[index] - rows[index]) }
        return sum / Float(window * dimensions)
    }

    /// Adds the gradient of `loss` to `gradients`, of `parameterCount` numbers (back-propagation through time: Werbos,
    /// Proc. IEEE 78, 1990). `reconstruct` ran before with the same rows.
    func backward(_ rows: UnsafePointer<Float>, _ gradients: UnsafeMutablePointer<Float>) {
        for index in 0..<2 * units { flow[index] = 0 }
        let scale = 2 / Float(window * dimensions)
        for step in stride(from: stepCount - 1, through: window, by: -1) {
            let hidden = steps + step * 7 * units + 6 * units
            let place = row(step) * dimensions
            for dimension in 0..<dimensions {
                let error = scale * (output[place + dimension] - rows[place + dimension])
                let weight = parameters + readout + dimension * (units + 1)
                let gradient = gradients + readout + dimension * (units + 1)
                for unit in 0..<units {
                    flow[unit] += weight[unit] * error
                    gradient[unit] += hidden[unit] * error
                }
                gradient[units] += error
            }
            if step > window { backward(step, decoder, rows, 0, gradients) }
        }
        for step in stride(from: window, through: 1, by: -1) {
            backward(step, encoder, rows + (step - 1) * dimensions, dimensions, gradients)
        }
    }

    private func backward(
        _ step: Int, _ layer: Int, _ input: UnsafePointer<Float>, _ inputs: Int,
        _ gradients: UnsafeMutablePointer<Float>
    ) {
        let (units, gates) = (units, gates)
        let previous = steps + (step - 1) * 7 * units
        let gate = steps + step * 7 * units
        let (ofHidden, ofCell, ofGates) = (flow, flow + units, flow + 2 * units)
        for unit in 0..<units {
            let (entry, forget) = (gate[unit], gate[units + unit])
            let (candidate, exit) = (gate[2 * units + unit], gate[3 * units + unit])
            let squashed = gate[5 * units + unit]
            let cell = ofCell[unit] + ofHidden[unit] * exit * (1 - squashed * squashed)
            ofGates[unit] = cell * candidate * entry * (1 - entry)
            ofGates[units + unit] = cell * previous[4 * units + unit] * forget * (1 - forget)
            ofGates[2 * units + unit] = cell * entry * (1 - candidate * candidate)
            ofGates[3 * units + unit] = ofHidden[unit] * squashed * exit * (1 - exit)
            ofCell[unit] = cell * forget
        }
        let gradient = gradients + layer
        for place in 0..<inputs { Self.accumulate(gradient + place * gates, ofGates, input[place], gates) }
        for place in 0..<units {
            Self.accumulate(gradient + (inputs + place) * gates, ofGates, previous[6 * units + place], gates)
            let weight = parameters + layer + (inputs + place) * gates
            var sum: Float = 0
            for index in 0..<gates { sum += weight[index] * ofGates[index] }
            ofHidden[place] = sum
        }
        Self.accumulate(gradient + (inputs + units) * gates, ofGates, 1, gates)
    }
}
