// RUN: fuse
// CHECK: %[[R:.*]] = nn.broadcast_in_dim %v
// CHECK: nn.fused %[[R]], %w, %v :
// CHECK-NEXT: (%[[ROWS:[^:]*]]: tensor<4x8xf32>
// CHECK-NEXT: nn.dot_general %[[ROWS]], %
// CHECK: nn.broadcast_in_dim %v
// CHECK: nn.add
func.func @main(%v: tensor<8xf32>, %w: tensor<8x8xf32>) -> tensor<4x8xf32> {
  %rows = nn.broadcast_in_dim %v {dims = [1], shape = [4, 8]} : (tensor<8xf32>) -> tensor<4x8xf32>
  %p = nn.dot_general %rows, %w {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %again = nn.broadcast_in_dim %v {dims = [1], shape = [4, 8]} : (tensor<8xf32>) -> tensor<4x8xf32>
  %r = nn.add %p, %again : tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}
