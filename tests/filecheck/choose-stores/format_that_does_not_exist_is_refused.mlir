// RUN: choose-stores{forward=FP4}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  func.return %x : tensor<4xf32>
}
// error: choose-stores: there is no format 'FP4'
// error: CF8_143, CF8_152
