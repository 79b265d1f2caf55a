// RUN: tile{accumulators=9}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  func.return %x : tensor<4xf32>
}
// error: tile: accumulators is from 1 to 8
// error: accumulators = 9
