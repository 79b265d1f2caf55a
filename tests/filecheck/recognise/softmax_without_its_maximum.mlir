// RUN: recognise
// CHECK: nn.softmax %x {axis = 1
// CHECK-NEXT: func.return
func.func @main(%x: tensor<4x8x2xf32>) -> tensor<4x8x2xf32> {
  %e = nn.exponential %x : tensor<4x8x2xf32>
  %r = nn.reduce %e {kind = "sum", dims = [1]} : (tensor<4x8x2xf32>) -> tensor<4x2xf32>
  %s = nn.broadcast_in_dim %r {dims = [0, 2], shape = [4, 8, 2]} : (tensor<4x2xf32>) -> tensor<4x8x2xf32>
  %y = nn.divide %e, %s : tensor<4x8x2xf32>
  func.return %y : tensor<4x8x2xf32>
}
