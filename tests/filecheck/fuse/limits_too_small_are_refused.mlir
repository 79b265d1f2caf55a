// RUN: fuse{operands=2}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  func.return %x : tensor<4xf32>
}
// error: fuse: a region needs at least 3 operands and 1 op
// error: operands = 2
