// RUN: fuse
// The product is returned too, so the tangent cannot join it: one region has one result.
// CHECK: %[[P:.*]] = nn.fused %x, %w
// CHECK: nn.dot_general
// CHECK-NEXT: nn.yield
// CHECK: %[[T:.*]] = nn.fused %[[P]]
// CHECK: nn.tanh
// CHECK: func.return %[[P]], %[[T]]
func.func @main(%x: tensor<4x8xf32>, %w: tensor<8x6xf32>) -> (tensor<4x6xf32>, tensor<4x6xf32>) {
  %p = nn.dot_general %x, %w {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  %t = nn.tanh %p : tensor<4x6xf32>
  func.return %p, %t : tensor<4x6xf32>, tensor<4x6xf32>
}
