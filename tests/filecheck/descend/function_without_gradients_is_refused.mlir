// RUN: descend
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  func.return %x : tensor<4xf32>
}
// error: the function has no gradients to descend by
// error: run differentiate before
