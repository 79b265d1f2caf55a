// RUN: descend{optimizer=adam beta2=1.0}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  func.return %x : tensor<4xf32>
}
// error: descend: beta2 must be at least 0 and below 1
// error: beta2 = 1.0
