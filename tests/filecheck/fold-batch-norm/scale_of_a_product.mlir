// RUN: fold-batch-norm
// CHECK: nn.constant {value = dense<{{\[\[}}2.000000e+00, 6.000000e+00], [6.000000e+00, 1.200000e+01]]>
// CHECK-NEXT: nn.dot_general
// CHECK-NEXT: func.return
func.func @main(%x: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %w = nn.constant {value = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>} : tensor<2x2xf32>
  %f = nn.constant {value = dense<[0.5, 0.33333334]> : tensor<2xf32>} : tensor<2xf32>
  %fs = nn.broadcast_in_dim %f {dims = [1], shape = [4, 2]} : (tensor<2xf32>) -> tensor<4x2xf32>
  %y = nn.dot_general %x, %w {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : (tensor<4x2xf32>, tensor<2x2xf32>) -> tensor<4x2xf32>
  %r = nn.divide %y, %fs : tensor<4x2xf32>
  func.return %r : tensor<4x2xf32>
}
