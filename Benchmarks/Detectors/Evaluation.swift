import Foundation

/// How well scores and alarms fit labels.
enum Evaluation {
    /// The area under the ROC curve: the chance that an anomalous row scores higher than a normal one, ties by half.
    static func areaUnderROC(_ scores: [Double], _ labels: [Bool]) -> Double {
        let order = scores.indices.sorted { scores[$0] < scores[$1] }
        var rankSum = 0.0
        var place = 0
        while place < order.count {
            var end = place
            while end < order.count, scores[order[end]] == scores[order[place]] { end += 1 }
            let rank = Double(place + end + 1) / 2
            for index in place..<end where labels[order[index]] { rankSum += rank }
            place = end
        }
        let positives = Double(labels.count { $0 })
        let negatives = Double(labels.count) - positives
        guard positives > 0, negatives > 0 else { return .nan }
        return (rankSum - positives * (positives + 1) / 2) / (positives * negatives)
    }

    /// The volume under the surface of range-based precision and recall (Paparrizos et al., PVLDB 15, 2022): labels
    /// fade out over a buffer around each event, recall is weighed by the share of events that were touched, and the
    /// area is averaged over buffers from 0 to `longest` rows.
    static func volumeUnderPR(_ scores: [Double], _ labels: [Bool], _ events: [Range<Int>], longest: Int) -> Double {
        let order = scores.indices.sorted { scores[$0] > scores[$1] }
        let buffers = stride(from: 0, through: longest, by: max(1, longest / 5))
        var areas: [Double] = []
        for buffer in buffers { areas.append(area(scores, labels, events, order, buffer)) }
        return areas.reduce(0, +) / Double(areas.count)
    }

    private static func area(
        _ scores: [Double], _ labels: [Bool], _ events: [Range<Int>], _ order: [Int], _ buffer: Int
    ) -> Double {
        var soft = labels.map { $0 ? 1.0 : 0 }
        var owner = [Int](repeating: -1, count: labels.count)
        for (number, event) in events.enumerated() {
            for row in max(0, event.lowerBound - buffer / 2)..<min(labels.count, event.upperBound + buffer / 2) {
                let distance = row < event.lowerBound ? event.lowerBound - row : max(0, row - event.upperBound + 1)
                let fade = buffer == 0 ? 1 : (1 - Double(distance) / Double(buffer)).squareRoot()
                soft[row] = max(soft[row], distance == 0 ? 1 : fade)
                owner[row] = number
            }
        }
        let positives = (soft.reduce(0, +) + Double(labels.count { $0 })) / 2
        guard positives > 0 else { return .nan }
        var hits = 0.0
        var touched = Set<Int>()
        var lastRecall = 0.0
        var area = 0.0
        var place = 0
        while place < order.count {
            // Rows of one score come in together.
            let score = scores[order[place]]
            while place < order.count, scores[order[place]] == score {
                hits += soft[order[place]]
                if owner[order[place]] >= 0 { touched.insert(owner[order[place]]) }
                place += 1
            }
            let recall = min(1, hits / positives) * Double(touched.count) / Double(max(events.count, 1))
            area += (recall - lastRecall) * (hits / Double(place))
            lastRecall = recall
        }
        return area
    }
}
