// RUN: fold{limit=-1}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  func.return %x : tensor<4xf32>
}
// error: fold: the limit of elements is negative
// error: limit = -1
