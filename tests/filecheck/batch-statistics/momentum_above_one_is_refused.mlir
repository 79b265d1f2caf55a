// RUN: batch-statistics{momentum=1.5}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  func.return %x : tensor<4xf32>
}
// error: batch-statistics: momentum is a share
// error: momentum = 1.5
