// RUN: recognise
// The shapes would fit, since the tensor is square: sums along dim 1 are spread along dim 1.
// CHECK-NOT: nn.softmax
// CHECK: nn.divide
func.func @main(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %e = nn.exponential %x : tensor<8x8xf32>
  %r = nn.reduce %e {kind = "sum", dims = [1]} : (tensor<8x8xf32>) -> tensor<8xf32>
  %s = nn.broadcast_in_dim %r {dims = [1], shape = [8, 8]} : (tensor<8xf32>) -> tensor<8x8xf32>
  %y = nn.divide %e, %s : tensor<8x8xf32>
  func.return %y : tensor<8x8xf32>
}
