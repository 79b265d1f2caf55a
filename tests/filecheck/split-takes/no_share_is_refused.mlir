// RUN: split-takes{share=0}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  func.return %x : tensor<4xf32>
}
// error: split-takes: share is at least 1
// error: share = 0
